import { Argument, type Command } from 'commander';
import { completionScript, type Shell, shells } from './completion.ts';
import type { DecodeOptions } from './decode.ts';
import type { DoctorOptions } from './doctor/doctor.ts';
import type { DoctorProofOptions } from './doctor-proof.ts';
import type { ServeOptions } from './serve-command.ts';
import type { Terminal } from './terminal.ts';

const variables = `
  ISSUER                  issuer identifier, such as https://as.example.com
  HOST, PORT              public listener (localhost, 8080)
  ADMIN_HOST, ADMIN_PORT  admin listener (127.0.0.1, 8081)
  ADMIN_TOKEN             admin token; created on the first start if not set
  DATABASE_URL            file:PATH or postgresql://…
  REDIS_URL               Redis for replay records

docs/reference/configuration.md lists all of them. ADMIN_TOKEN_FILE,
DATABASE_URL_FILE and REDIS_URL_FILE name files with the value. A fault in a
variable stops the start with a sentence.
`;

const completionHelp = `
  bash, in ~/.bashrc:   source <(holdfast completion bash)
  zsh, in ~/.zshrc:     source <(holdfast completion zsh)
  fish, once:           holdfast completion fish > \\
                          ~/.config/fish/completions/holdfast.fish
`;

/** Adds the subcommands that need no key. */
export function addToolCommands(program: Command, terminal: Terminal): void {
  program
    .command('serve')
    .description('start the authorization server; environment variables configure it')
    .option(
      '--data-directory <folder>',
      'folder of the SQLite database, the key-encryption key and the admin token, unless ' +
        'DATABASE_URL or KEY_ENCRYPTION_KEY_FILE says (default: holdfast below ' +
        '$XDG_DATA_HOME or ~/.local/share)',
    )
    .addHelpText('after', variables)
    .action(async (options: ServeOptions) =>
      (await import('./serve-command.ts')).serve(terminal, options),
    );
  program
    .command('decode')
    .description('show header, claims, what binds a token, and whether its signature verifies')
    .argument('[file]', 'file with the token; - is standard input', '-')
    .option('--profile <name>', 'the profile to use (HOLDFAST_PROFILE)')
    .option('--issuer <url>', 'whose keys verify the signature (default: those of the profile)')
    .option('--json', 'print JSON')
    .action(async (file: string, _options: unknown, command: Command) =>
      (await import('./decode.ts')).printDecoded(
        terminal,
        file,
        command.optsWithGlobals<DecodeOptions>(),
      ),
    );
  program
    .command('completion')
    .description('print the script with which a shell completes this command')
    .addArgument(new Argument('<shell>', 'the shell').choices(shells))
    .addHelpText('after', completionHelp)
    .action((shell: Shell) => void terminal.stdout.write(completionScript(program, shell)));
  program
    .command('validate-config')
    .description('check the environment and CONFIG_FILE; list every fault (exit code 5)')
    .option('--json', 'print JSON')
    .action(async ({ json }: { json?: boolean }) =>
      (await import('./validate-config.ts')).validateConfig(terminal, json),
    );
  addDoctor(program, terminal);
}

function addDoctor(program: Command, terminal: Terminal): void {
  const doctor = program
    .command('doctor')
    .enablePositionalOptions()
    .description('find out what is wrong with this server, before it starts or while it runs')
    .option('--data-directory <folder>', 'the same as for holdfast serve')
    .option('--before-first-start', 'do not report a missing database')
    .option('--json', 'print JSON')
    .action(async (options: DoctorOptions) =>
      (await import('./doctor/doctor.ts')).doctor(terminal, options),
    );
  doctor
    .command('proof')
    .description('check a captured request (header fields on standard input) against RFC 9449 §4.3')
    .argument('<method>', 'method of the request, such as GET')
    .argument('<url>', 'URL that the client called')
    .option('--nonce <nonce>', 'the nonce that the server provided')
    .option('--at <time>', 'when the request arrived (default: now)')
    .option('--max-age <seconds>', 'seconds that iat may be away from then', '60')
    .option('--json', 'print JSON')
    .action(async (method: string, url: string, options: DoctorProofOptions) =>
      (await import('./doctor-proof.ts')).examineProof(terminal, method, url, options),
    );
}
