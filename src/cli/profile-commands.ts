import { type Command, Option } from 'commander';
import { authenticationMethods, keyAlgorithms } from './profile-choices.ts';
import type { ProfileSetOptions } from './profile-command.ts';
import type { Terminal } from './terminal.ts';

/** Adds `holdfast profile`. */
export function addProfileCommands(program: Command, terminal: Terminal): void {
  const profile = program
    .command('profile')
    .description('store issuer, client and key under a name');
  profile
    .command('set')
    .description('create a profile, or change members of one')
    .argument('<name>', 'default is the one that is used when none is named')
    .option('--issuer <url>', 'issuer identifier of the authorization server')
    .option('--client-id <id>', 'client_id of the registration there')
    .option(
      '--client-secret-file <file>',
      'file with the secret, read at each use; - reads it now and stores it',
    )
    .addOption(
      new Option('--authentication <method>', 'how the client authenticates').choices(
        authenticationMethods,
      ),
    )
    .option('--key-file <file>', 'private JWK, created on first use (default: created and kept)')
    .option('--workload-token-file <file>', 'file with the token of the platform, read at each use')
    .option('--kid <kid>', "name of the key in the client's registered jwks")
    .addOption(new Option('--alg <alg>', 'for a key that is created').choices(keyAlgorithms))
    .option('--resource <url>', 'the API that tokens are for')
    .option('--scope <scopes>', 'scopes, separated by spaces')
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
    .argument('<name>', 'name of the profile')
    .action(async (name: string) =>
      (await import('./profile-command.ts')).removeProfile(terminal, name),
    );
}
