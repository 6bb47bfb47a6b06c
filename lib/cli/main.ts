#!/usr/bin/env node
import { runProgram } from './program.js';
import { EXIT } from './usage.js';

// A reader that went away (`a2q … | head`) is no failure; a full disk behind standard output is.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.success);
  process.stderr.write(`error: cannot write to standard output: ${error.message}\n`);
  process.exit(EXIT.failure);
});

const code = await runProgram(process.argv.slice(2));
if (code !== EXIT.success) process.exitCode = code;
