import { resolve } from 'node:path';
import { type Config, readConfig } from '../../config/config.ts';
import { databaseFile, databaseKind } from '../../config/database-url.ts';
import { CommandError, exitCodes } from '../exit-codes.ts';
import { type ServeOptions, serveVariables } from '../serve-command.ts';
import { printable, printJson, type Terminal } from '../terminal.ts';
import { configurationFaults } from '../validate-config.ts';
import { checkAuditSink } from './check-audit-sink.ts';
import { checkDatabase } from './check-database.ts';
import { checkFiles } from './check-files.ts';
import { checkIssuer } from './check-issuer.ts';
import { checkTlsFiles } from './check-tls-files.ts';
import { about, type Finding } from './finding.ts';

export interface DoctorOptions extends ServeOptions {
  readonly json?: boolean;
  /** A missing database is no fault. */
  readonly beforeFirstStart?: boolean;
}

/** All findings for the server of this environment. Throws ConfigError. */
export async function findings(
  { env: given, clock }: Pick<Terminal, 'env' | 'clock'>,
  options: DoctorOptions,
): Promise<readonly Finding[]> {
  const env = { ...given, ...serveVariables(given, options) };
  const config = readConfig(env);
  const files = [...checkFiles(config, env), ...checkTlsFiles(config, clock())];
  const database = (await checkDatabase(config, clock)).map((finding) =>
    options.beforeFirstStart === true ? finding : expectedThere(finding),
  );
  const redis =
    config.redisUrl === undefined
      ? []
      : await (await import('./check-redis.ts')).checkRedis(config.redisUrl, clock);
  return [
    meant(config),
    ...files,
    ...database,
    ...redis,
    ...(await checkAuditSink(config)),
    ...(await checkIssuer(config, clock)),
  ];
}

/** Shows which server was checked, because a wrong environment names none or another. */
function meant({ issuer, databaseUrl }: Config): Finding {
  const database =
    databaseKind(databaseUrl) === 'sqlite'
      ? resolve(databaseFile(databaseUrl))
      : `PostgreSQL${placeIn(databaseUrl)}`;
  return about('server', 'the one that you mean', 'operations/doctor.md').ok(
    `${issuer}, with ${database}`,
  );
}

/** The URL without user, password and parameters. */
function placeIn(url: string): string {
  if (!URL.canParse(url)) return '';
  const { host, pathname } = new URL(url);
  return ` at ${host}${pathname}`;
}

function expectedThere(finding: Finding): Finding {
  const isMissing = ['database', 'migrations'].includes(finding.check);
  if (!isMissing || finding.result !== 'unknown') return finding;
  const mend =
    'Run it with the environment and as the user of the server; before the first start of the server, add --before-first-start.';
  return { ...finding, result: 'fault', mend };
}

/** Prints the findings; exit code 6 for a fault, 5 if the environment cannot be read. */
export async function doctor(terminal: Terminal, options: DoctorOptions): Promise<void> {
  await configurationFaults(terminal);
  const found = await findings(terminal, options);
  if (options.json === true) printJson(terminal, found);
  else for (const finding of found) print(terminal, finding);
  const faults = found.filter(({ result }) => result === 'fault').length;
  if (faults > 0)
    throw new CommandError(
      exitCodes.differences,
      `${faults} of ${found.length} checks found a fault.`,
    );
}

function print(
  { stdout }: Terminal,
  { check, result, expected, found, mend, page }: Finding,
): void {
  stdout.write(`${result.padEnd(7)}  ${printable(`${check}: ${found}`)}\n`);
  if (mend === undefined) return;
  for (const line of [`expected: ${expected}`, `to mend: ${mend}`, `see: ${page}`])
    stdout.write(`         ${printable(line)}\n`);
}
