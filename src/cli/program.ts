import { Command, CommanderError } from 'commander';
import { addAdminCommands } from './admin-commands.ts';
import { addClientCommands } from './client-commands.ts';
import { addConfigurationCommands } from './configuration-commands.ts';
import { exitCodes } from './exit-codes.ts';
import { failureOf } from './failure.ts';
import { addProfileCommands } from './profile-commands.ts';
import type { Terminal } from './terminal.ts';
import { addToolCommands } from './tool-commands.ts';

const examples = `Examples:
  holdfast serve                                 start the authorization server
  holdfast profile set default --issuer https://as.example.com \\
    --client-id reports --client-secret-file secret.txt \\
    --resource https://api.example.com
  holdfast token | holdfast decode -             look into a token
  holdfast curl https://api.example.com/reports  call an API
  holdfast bridge --to https://api.example.com   let other programs call it
`;

const after = `
Secrets and tokens come from files, variables or standard input, never from
arguments.
Variables: HOLDFAST_PROFILE, HOLDFAST_ISSUER, HOLDFAST_CLIENT_ID,
  HOLDFAST_RESOURCE, HOLDFAST_SCOPE, HOLDFAST_KEY_FILE,
  HOLDFAST_WORKLOAD_TOKEN_FILE, HOLDFAST_CLIENT_SECRET[_FILE],
  HOLDFAST_ACCESS_TOKEN[_FILE], HOLDFAST_BRIDGE_SECRET[_FILE],
  HOLDFAST_ADMIN_URL, HOLDFAST_ADMIN_TOKEN[_FILE]
Exit codes: 0 ok, 1 failed, 2 usage, 3 refused by the server, 4 cannot reach it,
  5 configuration faults, 6 differences found
`;

/** The command with all subcommands; each loads its code when it runs. */
export function holdfastCommand(
  terminal: Terminal,
  version: string,
  finish: (exitCode: number) => void,
): Command {
  const program = new Command('holdfast')
    .description('Tokens that only work for the holder of a key: the server, and its clients.')
    .version(version, '-V, --version')
    .option('--profile <name>', 'the profile to use (HOLDFAST_PROFILE)')
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void terminal.stdout.write(text),
      writeErr: (text) => void terminal.stderr.write(text),
    })
    .addHelpText('beforeAll', (context) => (context.command.parent === null ? examples : ''))
    .addHelpText('after', after);
  addToolCommands(program, terminal);
  addClientCommands(program, terminal, finish);
  addProfileCommands(program, terminal);
  addConfigurationCommands(program, terminal, finish);
  addAdminCommands(program, terminal);
  refuseRepeatedOptions(program);
  return program;
}

/** Refuses a value that a second one would silently replace: exit code 2. */
function refuseRepeatedOptions(command: Command): void {
  for (const option of command.options) {
    if (option.isBoolean() || option.variadic) continue;
    let given = false;
    command.on(`option:${option.name()}`, () => {
      if (given) command.error(`error: option '${option.flags}' may be given only once`);
      given = true;
    });
  }
  for (const below of command.commands) refuseRepeatedOptions(below);
}

/** The arguments; of an unknown subcommand only its name, because `--help` would hide the fault. */
function knownOr({ commands }: Command, args: readonly string[]): readonly string[] {
  const [first = ''] = args;
  const isKnown = first === 'help' || commands.some((command) => command.name() === first);
  return first === '' || first.startsWith('-') || isKnown ? args : [first];
}

/** Runs the command and returns its exit code. */
export async function runCommand(
  args: readonly string[],
  terminal: Terminal,
  version: string,
): Promise<number> {
  let exitCode: number = exitCodes.ok;
  const program = holdfastCommand(terminal, version, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(knownOr(program, args), { from: 'user' });
    return exitCode;
  } catch (error) {
    // Commander has already printed its message.
    if (error instanceof CommanderError)
      return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    const failure = failureOf(error);
    if (failure === undefined) throw error;
    terminal.stderr.write(`holdfast: ${failure.message}\n`);
    return failure.exitCode;
  }
}
