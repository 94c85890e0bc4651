import type { Command } from 'commander';
import type { ApplyOptions } from './configuration.ts';
import type { Terminal } from './terminal.ts';

const variables = (scopes: string) => `
  HOLDFAST_ADMIN_URL                  the admin API (http://127.0.0.1:8081)
  HOLDFAST_ADMIN_TOKEN, …_TOKEN_FILE  an admin token with ${scopes}
`;
const reads = variables('configuration:read');
const writes = variables(
  'configuration:read,\n                                      configuration:write',
);

const secrets = `
In the file a secret is named, as a variable or a file, and never printed:
  clients:
    - client_id: orders
      client_secret: \${ORDERS_SECRET}        # or { file: orders.secret }
`;

/** Adds the subcommands that apply, compare and export configurations. */
export function addConfigurationCommands(
  program: Command,
  terminal: Terminal,
  finish: (exitCode: number) => void,
): void {
  const load = async () => import('./configuration.ts');
  const withFile = (name: string, scopes: string, prune: string) =>
    program
      .command(name)
      .requiredOption('-f, --file <file>', 'YAML or JSON; - is standard input')
      .option('--prune', `${prune} registrations that a file created and this one lacks`)
      .option('--admin-url <url>', 'where the admin API is (HOLDFAST_ADMIN_URL)')
      .option('--json', 'print JSON')
      .addHelpText('after', `${scopes}${secrets}`);
  withFile('apply', writes, 'delete')
    .description('apply a configuration file; prints the plan first')
    .option('--dry-run', 'print the plan only')
    .action(async (options: ApplyOptions) => (await load()).apply(terminal, options));
  withFile('diff', reads, 'also show as deleted the')
    .description('show what differs between a file and what is registered; exit code 6 if any')
    .action(async (options: ApplyOptions) => finish(await (await load()).diff(terminal, options)));
  program
    .command('export')
    .description('print what is registered as a file, without secrets')
    .option('--admin-url <url>', 'where the admin API is (HOLDFAST_ADMIN_URL)')
    .option('--json', 'print JSON')
    .addHelpText('after', reads)
    .action(async (options: Pick<ApplyOptions, 'json' | 'adminUrl'>) =>
      (await load()).printExport(terminal, options),
    );
  program
    .command('schema')
    .description('print the JSON Schema of configuration files, for editors')
    .action(async () => (await load()).printSchema(terminal));
}
