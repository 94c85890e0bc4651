import { knownAdminScopes } from '../../domain/admin-access.ts';
import type { AdminToken, AdminTokenRotation, AdminTokens } from '../../ports/admin-tokens.ts';
import type { AuditedTransaction } from '../connection/audited-transaction.ts';
import { type Database, orStoreUnavailable } from '../connection/database.ts';
import type { Step } from '../connection/transaction.ts';

interface Row {
  readonly id: string;
  readonly name: string;
  readonly hash: string;
  readonly scope: string;
  readonly createdAt: bigint;
  readonly createdBy: string;
  readonly expiresAt: bigint | null;
  readonly lastUsedAt: bigint | null;
  readonly previousUntil: bigint | null;
}

/** A scope that is unknown to this version allows nothing. */
function toToken(row: Row): AdminToken {
  const { id, name, scope, createdBy, createdAt, expiresAt, lastUsedAt, previousUntil } = row;
  return {
    id,
    name,
    scopes: knownAdminScopes(scope.split(' ')),
    createdAt: Number(createdAt),
    createdBy,
    ...(expiresAt !== null && { expiresAt: Number(expiresAt) }),
    ...(lastUsedAt !== null && { lastUsedAt: Number(lastUsedAt) }),
    ...(previousUntil !== null && { previousUntil: Number(previousUntil) }),
  };
}

/** Admin tokens in the database. */
export function sqlAdminTokens(database: Database, change: AuditedTransaction): AdminTokens {
  const table = database.adminToken;
  return {
    async findCurrent(hash, now) {
      const at = BigInt(now);
      const row = await orStoreUnavailable(() =>
        table.findFirst({
          where: {
            AND: [
              { OR: [{ hash }, { previousHash: hash, previousUntil: { gt: at } }] },
              { OR: [{ expiresAt: null }, { expiresAt: { gt: at } }] },
            ],
          },
        }),
      );
      return row === null ? undefined : toToken(row);
    },
    async currentHashes(now) {
      const at = BigInt(now);
      const rows = await orStoreUnavailable(() =>
        table.findMany({
          where: { OR: [{ expiresAt: null }, { expiresAt: { gt: at } }] },
          select: { hash: true, previousHash: true, previousUntil: true },
        }),
      );
      return rows.flatMap(({ hash, previousHash, previousUntil }) =>
        previousHash !== null && (previousUntil ?? 0n) > at ? [hash, previousHash] : [hash],
      );
    },
    async get(id) {
      const row = await orStoreUnavailable(() => table.findUnique({ where: { id } }));
      return row === null ? undefined : toToken(row);
    },
    async list({ limit, after = '' }) {
      const rows = await orStoreUnavailable(() =>
        table.findMany({ where: { id: { gt: after } }, orderBy: { id: 'asc' }, take: limit }),
      );
      return rows.map(toToken);
    },
    async create({ id, name, scopes, createdAt, createdBy, expiresAt }, hash, event) {
      const columns = ['id', 'name', 'hash', 'scope', 'created_at', 'created_by'];
      const values = [id, name, hash, scopes.join(' '), createdAt, createdBy];
      if (expiresAt !== undefined) {
        columns.push('expires_at');
        values.push(expiresAt);
      }
      const places = columns.map((_, index) => `$${index + 1}`).join(', ');
      const sql = `insert into admin_token (${columns.join(', ')}) values (${places}) on conflict do nothing`;
      return change([{ sql, values }], event);
    },
    async rotate(id, rotation, event) {
      return change([rotationStep(id, rotation)], event);
    },
    async remove(id, event) {
      return change([{ sql: 'delete from admin_token where id = $1', values: [id] }], event);
    },
    async noteUse(id, at) {
      await orStoreUnavailable(() =>
        table.updateMany({ where: { id }, data: { lastUsedAt: BigInt(at) } }),
      );
    },
  };
}

const onlyWhere = {
  refused: ' and (previous_until is null or previous_until <= ',
  kept: ' and (previous_until > ',
};

function rotationStep(id: string, rotation: AdminTokenRotation): Step {
  const { hash, previousUntil, expiresAt, earlier, now } = rotation;
  const values: (string | number)[] = [];
  const given = (value: string | number) => `$${values.push(value)}`;
  const set = [
    ...(earlier === 'kept' ? [] : ['previous_hash = hash']),
    `previous_until = ${given(previousUntil)}`,
    `hash = ${given(hash)}`,
    ...(expiresAt === undefined ? [] : [`expires_at = ${given(expiresAt)}`]),
  ];
  const where = `id = ${given(id)}`;
  const only = earlier === 'ended' ? '' : `${onlyWhere[earlier]}${given(now)})`;
  return { sql: `update admin_token set ${set.join(', ')} where ${where}${only}`, values };
}
