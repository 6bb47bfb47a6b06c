import type { Command, Option } from 'commander';
import t from 'tap';
import { makeProgram } from '../../lib/cli/program.js';

/** Options whose absence says all there is: they name the subject of a command, or ask for something more. */
const NO_DEFAULT = new Set(['--run', '--checkpoint', '--model', '--explain']);

/** Whether help says what leaving out an option means. */
function isPlain(option: Option): boolean {
  if (option.isBoolean() || option.negate || option.mandatory || NO_DEFAULT.has(option.long ?? '')) return true;
  return option.defaultValue !== undefined || /\((default: |required).*\)/.test(option.description);
}

t.test('help says of every option of every command what leaving it out means', async (t) => {
  const program = await makeProgram();
  for (const command of program.commands as Command[]) {
    const silent = command.options.filter((option) => !isPlain(option));
    t.same(
      silent.map(({ flags }) => flags),
      [],
      command.name(),
    );
  }
});
