import { randomUUID } from 'node:crypto';
import { adminTokenHash, generateAdminToken } from '../admin/admin-token.ts';
import type { Config } from '../config/config.ts';
import { madeByReset } from '../domain/acting-admin.ts';
import { adminScopes } from '../domain/admin-access.ts';
import { auditedTransaction } from '../store/connection/audited-transaction.ts';
import { type Database, openDatabase } from '../store/connection/database.ts';
import { DatabaseError } from '../store/connection/postgresql-schema.ts';
import { sqlAdminTokens } from '../store/tables/sql-admin-tokens.ts';
import { serverConfig } from './backup.ts';
import { checkDatabase } from './doctor/check-database.ts';
import { endAdmins } from './end-admins.ts';
import { failed, usageError } from './exit-codes.ts';
import { withFullStop } from './failure.ts';
import { writePrivateFile } from './private-file.ts';
import type { ServeOptions } from './serve-command.ts';
import { printable, printJson, type Terminal } from './terminal.ts';

export interface AdminTokenResetOptions extends ServeOptions {
  readonly json?: boolean;
  /** Lifetime in seconds. */
  readonly expiresIn: string;
  /** Whether to revoke every other admin. */
  readonly endOthers?: boolean;
  /** A file for the token instead of standard output. */
  readonly file?: string;
}

/**
 * Creates an admin token with every scope directly in the database, in case all others are lost. A
 * running server accepts it immediately; its first use ends the first token. It is audited.
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
  // Only starting the server migrates the database.
  if (migrations?.result !== 'ok')
    throw failed(
      `${withFullStop(`${migrations?.check}: ${migrations?.found}`)} Start the server first.`,
    );
  const expiresAt = now + Number(options.expiresIn) * 1000;
  const token = generateAdminToken();
  const id = randomUUID();
  const time = new Date(now).toISOString().slice(0, 19).replaceAll(':', '').toLowerCase();
  const name = `reset-${time}-${id.slice(0, 8)}`;
  const made = { id, name, scopes: adminScopes, createdAt: now, createdBy: madeByReset, expiresAt };
  const database = await opened(config);
  try {
    const change = auditedTransaction(config.databaseUrl, database, terminal.clock);
    const detail = { id, name, scopes: adminScopes, expires_at: Math.floor(expiresAt / 1000) };
    const event = { type: 'admin_token_created', actor: 'server', detail } as const;
    if (!(await sqlAdminTokens(database, change).create(made, adminTokenHash(token), event)))
      throw failed(`There is an admin token ${name} already: run this again.`);
    // Shown first, so that an admin exists whatever fails next.
    await show(terminal, { token, name, expires_at: Math.floor(expiresAt / 1000) }, options);
    if (options.endOthers === true) {
      const ended = await endAdmins({ database, change, config, now, keep: id });
      terminal.stderr.write(ended.map((each) => `Ended: ${printable(each)}\n`).join(''));
    }
  } finally {
    await database.$disconnect();
  }
}

/** Throws CommandError if the operator can mend why it does not open. */
async function opened({ databaseUrl }: Config): Promise<Database> {
  try {
    return await openDatabase(databaseUrl, () => undefined);
  } catch (error) {
    if (error instanceof DatabaseError) throw failed(error.message);
    throw error;
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
    `The admin token ${made.name} has every scope until it expires: create a permanent named token with it.\n`,
  );
}
