import type { Command } from 'commander';
import type { BridgeOptions } from './bridge/bridge.ts';
import type { ProfileOptions } from './profile.ts';
import type { ProofOptions } from './proof.ts';
import type { Terminal } from './terminal.ts';
import type { TokenOptions } from './token.ts';

/** Adds the subcommands that use the key of a profile. */
export function addClientCommands(
  program: Command,
  terminal: Terminal,
  finish: (exitCode: number) => void,
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
    .argument('<url>', 'URL of the request')
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
  clientOptions(program.command('curl'))
    .description('run the real curl with token and proof')
    .usage('[options] [options of curl] <url>')
    .argument('<arguments...>', 'options of curl, and one URL')
    .allowUnknownOption()
    .passThroughOptions()
    .addHelpText('after', curlHelp)
    .action(async (args: readonly string[], _options: unknown, command: Command) =>
      finish(
        await (await import('./curl/curl.ts')).curl(
          terminal,
          args,
          command.optsWithGlobals<ProfileOptions>(),
        ),
      ),
    );
  clientOptions(program.command('bridge'))
    .description('forward requests of local programs to one API, with token and proof')
    .requiredOption('--to <origin>', 'the API, such as https://api.example.com')
    .option('--listen <address>', 'unix:PATH or 127.0.0.1:9000 (default: a Unix socket of yours)')
    .option(
      '--any-local-user',
      'without HOLDFAST_BRIDGE_SECRET: accept whoever reaches the TCP port',
    )
    .option('--allow-origin <origin...>', 'web pages that may use it')
    .option('--idle-timeout <seconds>', 'end a request after this many seconds without data', '300')
    .addHelpText('after', bridgeHelp)
    .action(async (_options: unknown, command: Command) =>
      (await import('./bridge/bridge.ts')).bridge(
        terminal,
        command.optsWithGlobals<BridgeOptions>(),
      ),
    );
}

const bridgeHelp = `
  holdfast bridge --to https://api.example.com \\
    --listen unix:/run/user/1000/api.sock
  curl --unix-socket /run/user/1000/api.sock http://localhost/reports

  HOLDFAST_BRIDGE_SECRET_FILE=secret holdfast bridge \\
    --to https://api.example.com --listen 127.0.0.1:9000
  curl -H @field http://127.0.0.1:9000/reports

The file field has one line: Holdfast-Bridge-Secret: SECRET
The secret also counts as an API key: Authorization: Bearer SECRET. The address
is printed when the bridge listens.
`;

const curlHelp = `
Options of holdfast come first, then those of curl, then one URL:
  holdfast curl https://api.example.com/reports
  holdfast curl -sS --json @report.json https://api.example.com/reports
  holdfast curl --profile other -T - https://api.example.com/upload < big.bin

Token and proof go to curl through a pipe. A challenge with a nonce is answered
once, unless the body is a stream. These are refused, because they could leak or
misuse a proof: -L, --next, several URLs, --trace, -K, -u, -k, --retry.
~/.curlrc is not read. The exit status is that of curl.
`;

/** Options that replace members of the profile. */
function clientOptions(command: Command): Command {
  const names: Readonly<Record<keyof ProfileOptions, readonly [flags: string, text: string]>> = {
    profile: ['--profile <name>', 'the profile to use (HOLDFAST_PROFILE)'],
    issuer: ['--issuer <url>', 'issuer identifier of the authorization server'],
    clientId: ['--client-id <id>', 'client_id of the registration there'],
    resource: ['--resource <url>', 'the API that the token is for'],
    scope: ['--scope <scopes>', 'scopes, separated by spaces'],
    keyFile: ['--key-file <file>', 'private JWK of the key'],
    workloadTokenFile: ['--workload-token-file <file>', 'file with the token of the platform'],
  };
  for (const [flags, text] of Object.values(names)) command.option(flags, text);
  return command;
}
