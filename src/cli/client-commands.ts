import type { Command } from 'commander';
import type { ProfileOptions } from './profile.ts';
import type { ProofOptions } from './proof.ts';
import type { Terminal } from './terminal.ts';
import type { TokenOptions } from './token.ts';

/** Adds the subcommands that use the key of a profile. */
export function addClientCommands(
  program: Command,
  terminal: Terminal,
  _finish: (exitCode: number) => void,
): void {
  clientOptions(program.command('token'))
    .description('obtain a token that is bound to the key of the profile, and print it')
    .option('--json', 'print JSON: token, type, end, scope, thumbprint of the key')
    .action(async (_options: unknown, command: Command) =>
      (await import('./token.ts')).printToken(terminal, command.optsWithGlobals<TokenOptions>()),
    );
  clientOptions(program.command('proof'))
    .description('print a DPoP proof for one request at this moment')
    .argument('<method>', 'such as GET')
    .argument('<url>')
    .option('--token-file <file>', 'the access token that goes with it; - is standard input')
    .option('--nonce <nonce>', 'the nonce of the last answer')
    .option('--json', 'print JSON')
    .action(async (method: string, url: string, _options: unknown, command: Command) =>
      (await import('./proof.ts')).printProof(
        terminal,
        method,
        url,
        command.optsWithGlobals<ProofOptions>(),
      ),
    );
}

/** Options that replace members of the profile. */
function clientOptions(command: Command): Command {
  const names: Readonly<Record<keyof ProfileOptions, string>> = {
    profile: '--profile <name>',
    issuer: '--issuer <url>',
    clientId: '--client-id <id>',
    resource: '--resource <url>',
    scope: '--scope <scopes>',
    keyFile: '--key-file <file>',
  };
  for (const flags of Object.values(names)) command.option(flags);
  return command;
}
