import { timingSafeEqual } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { ActingAdmin } from '../domain/acting-admin.ts';
import { adminScopes } from '../domain/admin-access.ts';
import type { Clock } from '../domain/clock.ts';
import { StoreUnavailable } from '../domain/oauth-error.ts';
import type { AdminTokens } from '../ports/admin-tokens.ts';
import type { SharedSecretStore } from '../ports/signing-key-store.ts';
import { adminTokenHash } from './admin-token.ts';

/** By what admins are known. */
export interface AdminAuthenticationOptions {
  /** base64url SHA-256 of the first token. */
  readonly bootstrapHash: string;
  readonly adminTokens: Pick<AdminTokens, 'findCurrent' | 'noteUse'>;
  readonly secrets: SharedSecretStore;
  readonly clock: Clock;
}

/** Finds the admin of a bearer token. */
export interface AdminAuthentication {
  /**
   * Undefined: nobody's. Throws StoreUnavailable, unless the store is away and `storeless` says
   * that what is asked for needs none: then who was an admin when it was there is one.
   */
  authenticate(token: string, storeless: boolean): Promise<ActingAdmin | undefined>;
  /** Whether it was an admin's when it was last shown here. */
  isKnown(token: string): boolean;
  /** The first token has done its work: an admin other than it can make admins. */
  endBootstrap(): Promise<void>;
}

/** Milliseconds by which the last use on record may be too early. */
const precision = 60_000;

/** Authenticates admins by the first token, until it has done its work, and by named ones. */
export function adminAuthentication(options: AdminAuthenticationOptions): AdminAuthentication {
  const { bootstrapHash, adminTokens, secrets, clock } = options;
  const known = new LRUCache<string, ActingAdmin>({ max: 1000 });
  const noted = new LRUCache<string, number>({ max: 1000 });
  // The mark is of this very token: who sets another ADMIN_TOKEN has a first token again.
  const ended = `bootstrap_ended:${bootstrapHash}`;
  let hasEnded = false;
  const endBootstrap = async () => {
    if (!hasEnded) await secrets.putSecretOnce(ended, '1');
    hasEnded = true;
  };
  const noteUse = (id: string, now: number) => {
    if (now - (noted.get(id) ?? Number.NEGATIVE_INFINITY) < precision) return;
    noted.set(id, now);
    // For the operator only: no request fails for it.
    adminTokens.noteUse(id, now).catch(() => noted.delete(id));
  };
  const find = async (hash: string): Promise<ActingAdmin | undefined> => {
    if (timingSafeEqual(Buffer.from(hash), Buffer.from(bootstrapHash))) {
      const isOver = hasEnded || (await secrets.getSecret(ended)) !== undefined;
      return isOver ? undefined : { name: 'bootstrap', scopes: adminScopes };
    }
    const now = clock();
    const token = await adminTokens.findCurrent(hash, now);
    if (token === undefined) return undefined;
    if (token.scopes.includes('admin:grant')) await endBootstrap();
    noteUse(token.id, now);
    const { id, name, scopes, expiresAt } = token;
    return { id, name, scopes, ...(expiresAt !== undefined && { expiresAt }) };
  };
  return {
    endBootstrap,
    isKnown: (token) => known.has(adminTokenHash(token)),
    async authenticate(token, storeless) {
      const hash = adminTokenHash(token);
      try {
        const admin = await find(hash);
        if (admin === undefined) known.delete(hash);
        else known.set(hash, admin);
        return admin;
      } catch (fault) {
        const before = known.get(hash);
        const isGood = before !== undefined && (before.expiresAt ?? Infinity) > clock();
        if (storeless && isGood && fault instanceof StoreUnavailable) return before;
        throw fault;
      }
    },
  };
}
