import { type Command, Option } from 'commander';
import { authenticationMethods, keyAlgorithms } from './profile-choices.ts';
import type { ProfileSetOptions } from './profile-command.ts';
import type { Terminal } from './terminal.ts';

/** Adds `holdfast profile`. */
export function addProfileCommands(program: Command, terminal: Terminal): void {
  const profile = program.command('profile').description('keep who you are in a file');
  profile
    .command('set')
    .description('make a profile, or change members of one')
    .argument('<name>', 'default is the one that is used when none is named')
    .option('--issuer <url>', 'issuer identifier of the authorization server')
    .option('--client-id <id>')
    .option('--client-secret-file <file>', 'read it there each time; - stores it in the profile')
    .addOption(new Option('--authentication <method>').choices(authenticationMethods))
    .option('--key-file <file>', 'private JWK, made on first use (default: made and kept)')
    .option('--workload-token-file <file>', 'token of the platform, read there each time')
    .option('--kid <kid>', "name of the key in the client's registered jwks")
    .addOption(new Option('--alg <alg>', 'for a key that is made').choices(keyAlgorithms))
    .option('--resource <url>', 'the API that tokens are for')
    .option('--scope <scopes>', 'scopes, separated by blanks')
    .option('--origin <url...>', 'origins that may see the token (default: that of the resource)')
    .action(async (name: string, options: ProfileSetOptions) =>
      (await import('./profile-command.ts')).setProfile(terminal, name, options),
    );
  profile
    .command('list')
    .description('list the profiles')
    .option('--json', 'print JSON')
    .action(async ({ json = false }: { json?: boolean }) =>
      (await import('./profile-command.ts')).listProfiles(terminal, json),
    );
  profile
    .command('show')
    .description('show a profile and its public key, which the registration needs')
    .argument('[name]', 'profile', 'default')
    .option('--json', 'print JSON')
    .action(async (name: string, { json = false }: { json?: boolean }) =>
      (await import('./profile-command.ts')).showProfile(terminal, name, json),
    );
  profile
    .command('remove')
    .description('remove a profile; its key stays')
    .argument('<name>')
    .action(async (name: string) =>
      (await import('./profile-command.ts')).removeProfile(terminal, name),
    );
}
