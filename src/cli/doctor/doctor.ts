import { readConfig } from '../../config/config.ts';
import { CommandError, exitCodes } from '../exit-codes.ts';
import { type ServeOptions, serveVariables } from '../serve-command.ts';
import { printable, printJson, type Terminal } from '../terminal.ts';
import { configurationFaults } from '../validate-config.ts';
import { checkDatabase } from './check-database.ts';
import { checkFiles } from './check-files.ts';
import { checkIssuer } from './check-issuer.ts';
import type { Finding } from './finding.ts';

/** Options of `holdfast doctor`. */
export interface DoctorOptions extends ServeOptions {
  readonly json?: boolean;
}

/** Everything that the doctor finds for the server of this environment. Throws ConfigError. */
export async function findings(
  { env: given, clock }: Pick<Terminal, 'env' | 'clock'>,
  options: DoctorOptions,
): Promise<readonly Finding[]> {
  const env = { ...given, ...serveVariables(given, options) };
  const config = readConfig(env);
  const files = checkFiles(config, env, clock());
  const database = await checkDatabase(config, clock);
  const redis =
    config.redisUrl === undefined
      ? []
      : await (await import('./check-redis.ts')).checkRedis(config.redisUrl, clock);
  return [...files, ...database, ...redis, ...(await checkIssuer(config, clock()))];
}

/** Prints what is found; exit code 6 for a fault, 5 where the environment cannot be read. */
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
