import { randomUUID } from 'node:crypto';
import { adminTokenHash, generateAdminToken } from '../admin/admin-token.ts';
import { madeByReset } from '../domain/acting-admin.ts';
import { adminScopes } from '../domain/admin-access.ts';
import { auditedTransaction } from '../store/connection/audited-transaction.ts';
import { openDatabase } from '../store/connection/database.ts';
import { sqlAdminTokens } from '../store/tables/sql-admin-tokens.ts';
import { serverConfig } from './backup.ts';
import { checkDatabase } from './doctor/check-database.ts';
import { endAdmins } from './end-admins.ts';
import { failed, usageError } from './exit-codes.ts';
import { writePrivateFile } from './private-file.ts';
import type { ServeOptions } from './serve-command.ts';
import { printable, printJson, type Terminal } from './terminal.ts';

export interface AdminTokenResetOptions extends ServeOptions {
  readonly json?: boolean;
  /** Seconds. */
  readonly expiresIn: string;
  /** Nobody else is an admin any more. */
  readonly endOthers?: boolean;
  /** A file for the token, in place of standard output. */
  readonly file?: string;
}

/**
 * Makes an admin token with every scope in the database itself, for whoever has lost all others. A
 * running server accepts it at once; its first use ends the first token. The audit trail has it.
 */
export async function resetAdminToken(
  terminal: Terminal,
  options: AdminTokenResetOptions,
): Promise<void> {
  if (!/^[1-9]\d{0,7}$/.test(options.expiresIn))
    throw usageError('--expires-in takes a number of seconds.');
  const config = serverConfig(terminal, options);
  const now = terminal.clock();
  const found = await checkDatabase(config, terminal.clock);
  const migrations = found.find(({ check }) => check === 'migrations') ?? found[0];
  // Only a start migrates.
  if (migrations?.result !== 'ok')
    throw failed(`${migrations?.check}: ${migrations?.found}. Start the server first.`);
  const expiresAt = now + Number(options.expiresIn) * 1000;
  const token = generateAdminToken();
  const id = randomUUID();
  const name = `reset-${new Date(now).toISOString().slice(0, 19).replaceAll(':', '').toLowerCase()}`;
  const made = { id, name, scopes: adminScopes, createdAt: now, createdBy: madeByReset, expiresAt };
  const database = await openDatabase(config.databaseUrl, () => undefined);
  try {
    const change = auditedTransaction(config.databaseUrl, database, terminal.clock);
    const detail = { id, name, scopes: adminScopes, expires_at: Math.floor(expiresAt / 1000) };
    const event = { type: 'admin_token_created', actor: 'server', detail } as const;
    if (!(await sqlAdminTokens(database, change).create(made, adminTokenHash(token), event)))
      throw failed('There is an admin token of this second: try again.');
    // First of all: whatever happens now, there is an admin.
    await show(terminal, { token, name, expires_at: Math.floor(expiresAt / 1000) }, options);
    if (options.endOthers === true) {
      const ended = await endAdmins({ database, change, config, now, keep: id });
      terminal.stderr.write(ended.map((each) => `Ended: ${printable(each)}\n`).join(''));
    }
  } finally {
    await database.$disconnect();
  }
}

async function show(
  terminal: Terminal,
  made: { readonly token: string; readonly name: string; readonly expires_at: number },
  { file, json }: AdminTokenResetOptions,
): Promise<void> {
  const { token, ...rest } = made;
  if (file !== undefined) await writePrivateFile(file, `${token}\n`);
  if (json === true) printJson(terminal, file === undefined ? made : { ...rest, file });
  else if (file === undefined) terminal.stdout.write(`${token}\n`);
  terminal.stderr.write(
    `The admin token ${made.name} may do everything until it ends: make a named token with it, which may last.\n`,
  );
}
