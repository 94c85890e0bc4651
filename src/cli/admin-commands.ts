import { type Command, Option } from 'commander';
import { accessTokenSigningAlgorithms } from '../jose/algorithms.ts';
import { signingKeyPurposes } from '../ports/signing-key-store.ts';
import type { AdminTokenResetOptions } from './admin-token-reset.ts';
import type { TailOptions } from './audit-tail.ts';
import type { BackupOptions } from './backup.ts';
import type { AdminOptions, RotateOptions } from './keys.ts';
import type { Terminal } from './terminal.ts';

const help = `
  HOLDFAST_ADMIN_URL                  the admin API (http://127.0.0.1:8081)
  HOLDFAST_ADMIN_TOKEN, …_TOKEN_FILE  an admin token with the scope for it
`;

/** A thumbprint may begin with `-`. A misspelt option is refused as an excess argument. */
const idMayLookLikeAnOption = true;

/** Resources that can be listed, read, created and deleted, with the members shown in tables. */
const resources = {
  clients: ['client_id', 'client_name', 'token_endpoint_auth_method', 'disabled'],
  'resource-servers': ['id', 'audience', 'name'],
  pairings: ['id', 'mode', 'requester', 'holder', 'revoked'],
} as const;

/** Adds the subcommands that send one request to the admin API. */
export function addAdminCommands(program: Command, terminal: Terminal): void {
  for (const [name, columns] of Object.entries(resources))
    addResource(program, terminal, name, columns);
  const keys = program.command('keys').description('list, rotate and revoke signing keys');
  const load = async () => import('./keys.ts');
  onAdminApi(keys.command('list'), 'list the signing keys with their states').action(
    async (options: AdminOptions) => (await load()).listKeys(terminal, options),
  );
  onAdminApi(keys.command('rotate'), 'announce the next signing key')
    .addOption(
      new Option('--alg <alg>', 'algorithm of the key')
        .choices(accessTokenSigningAlgorithms)
        .default('ES256'),
    )
    .addOption(
      new Option('--purpose <purpose>', 'what it signs (default: issuer)').choices(
        signingKeyPurposes,
      ),
    )
    .option('--immediately', 'do not wait until every copy of the JWK Set has it')
    .action(async (options: RotateOptions) => (await load()).rotateKey(terminal, options));
  onAdminApi(keys.command('revoke'), 'revoke a leaked key: all that it signed is inactive')
    .argument('<kid>', 'kid of the key')
    .allowUnknownOption(idMayLookLikeAnOption)
    .action(async (kid: string, options: AdminOptions) =>
      (await load()).revokeKey(terminal, kid, options),
    );
  addRescue(program, terminal);
  const audit = program.command('audit').description('read the audit trail');
  onAdminApi(audit.command('tail'), 'print audit events, oldest first; --json prints JSON Lines')
    .option('--follow', 'continue with new events, a minute late so that none is missed')
    .option('--since <time>', 'such as 2026-11-24T09:00:00Z, or 30m, 24h, 7d ago (default: 1h)')
    .option('--type <type>', 'only events of this type')
    .option('--client-id <id>', 'only events of this client')
    .action(async (options: TailOptions) =>
      (await import('./audit-tail.ts')).tailAudit(terminal, options),
    );
}

/** Adds the subcommands that work on the database directly. */
function addRescue(program: Command, terminal: Terminal): void {
  const on = (command: Command, description: string) =>
    command
      .description(description)
      .option('--data-directory <folder>', 'the same as for holdfast serve')
      .option('--json', 'print JSON');
  const reset = program
    .command('admin-token')
    .description('create an admin token when all others are lost');
  on(reset.command('reset'), 'create an admin token with every scope in the database; prints it')
    .option('--expires-in <seconds>', 'lifetime in seconds', '3600')
    .option('--file <file>', 'write it to a private file instead')
    .option('--end-others', 'end every other admin: tokens, the first one too, and clients')
    .action(async (options: AdminTokenResetOptions) =>
      (await import('./admin-token-reset.ts')).resetAdminToken(terminal, options),
    );
  on(
    program.command('backup'),
    'copy the database of a running server (on PostgreSQL: prints the commands)',
  )
    .argument('<file>', 'new file to write')
    .option('--check', 'only check a backup that exists')
    .action(async (file: string, options: BackupOptions) =>
      (await import('./backup.ts')).backup(terminal, file, options),
    );
  on(program.command('restore'), 'put a backup in the place of the database of a stopped server')
    .argument('<file>', 'the backup')
    .action(async (file: string, options: BackupOptions) =>
      (await import('./restore.ts')).restore(terminal, file, options),
    );
}

function addResource(
  program: Command,
  terminal: Terminal,
  name: string,
  columns: readonly string[],
): void {
  const things = name.replace('-', ' ');
  const command = program.command(name).description(`list, get, create and delete ${things}`);
  const idOf = name === 'resource-servers' ? 'id or audience' : 'identifier in the list';
  const load = async () => import('./resources.ts');
  onAdminApi(command.command('list'), `list the ${things}`).action(async (options: AdminOptions) =>
    (await load()).listResources(terminal, { name, columns }, options),
  );
  onAdminApi(command.command('get'), 'print one as JSON')
    .argument('<id>', idOf)
    .allowUnknownOption(idMayLookLikeAnOption)
    .action(async (id: string, options: AdminOptions) =>
      (await load()).getResource(terminal, name, id, options),
    );
  onAdminApi(command.command('create'), 'create one, and print it as JSON')
    .argument('[file]', 'JSON as the admin API takes it; - is standard input', '-')
    .action(async (file: string, options: AdminOptions) =>
      (await load()).createResource(terminal, name, file, options),
    );
  onAdminApi(command.command('delete'), 'delete one')
    .argument('<id>', idOf)
    .allowUnknownOption(idMayLookLikeAnOption)
    .action(async (id: string, options: AdminOptions) =>
      (await load()).deleteResource(terminal, name, id, options),
    );
}

function onAdminApi(command: Command, description: string): Command {
  return command
    .description(description)
    .option('--admin-url <url>', 'where the admin API is (HOLDFAST_ADMIN_URL)')
    .option('--json', 'print JSON')
    .addHelpText('after', help);
}
