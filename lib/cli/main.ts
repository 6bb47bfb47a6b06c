#!/usr/bin/env node
import { runProgram } from './program.js';
import { outliveTerminal } from './terminal.js';
import { EXIT } from './usage.js';

outliveTerminal((reason) => {
  process.stderr.write(`error: cannot write to standard output: ${reason}\n`);
  process.exitCode = EXIT.failure;
});

const code = await runProgram(process.argv.slice(2));
if (code !== EXIT.success) process.exitCode = code;
