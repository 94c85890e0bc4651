import { timingSafeEqual } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { type ActingAdmin, madeByReset } from '../domain/acting-admin.ts';
import { adminScopes } from '../domain/admin-access.ts';
import type { Clock } from '../domain/clock.ts';
import { StoreUnavailable } from '../domain/oauth-error.ts';
import type { AdminTokens } from '../ports/admin-tokens.ts';
import type { SharedSecretStore } from '../ports/signing-key-store.ts';
import { adminTokenHash } from './admin-token.ts';
import { currentAdminTokens } from './current-admin-tokens.ts';

/** By what admins are known. */
export interface AdminAuthenticationOptions {
  /** base64url SHA-256 of the first token. */
  readonly bootstrapHash: string;
  readonly adminTokens: Pick<AdminTokens, 'findCurrent' | 'currentHashes' | 'noteUse'>;
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
  /** Whether it may be an admin's. Strangers who ask cause no look into the store each. */
  mayBeAdmins(token: string): Promise<boolean>;
  /** The first token has done its work: an admin other than it can make admins. */
  endBootstrap(): Promise<void>;
}

/** The name of the mark that a first token has done its work. */
export const bootstrapEnded = (bootstrapHash: string) => `bootstrap_ended:${bootstrapHash}`;

/** Milliseconds by which the last use on record may be too early. */
const precision = 60_000;

/** Authenticates admins by the first token, until it has done its work, and by named ones. */
export function adminAuthentication(options: AdminAuthenticationOptions): AdminAuthentication {
  const { bootstrapHash, adminTokens, secrets, clock } = options;
  const known = new LRUCache<string, ActingAdmin>({ max: 1000 });
  const noted = new LRUCache<string, number>({ max: 1000 });
  // The mark is of this very token: who sets another ADMIN_TOKEN has a first token again.
  const ended = bootstrapEnded(bootstrapHash);
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
  const isBootstrap = (hash: string) =>
    timingSafeEqual(Buffer.from(hash), Buffer.from(bootstrapHash));
  const isCurrent = currentAdminTokens(adminTokens, clock);
  const find = async (hash: string): Promise<ActingAdmin | undefined> => {
    if (isBootstrap(hash)) {
      hasEnded ||= (await secrets.getSecret(ended)) !== undefined;
      return hasEnded ? undefined : { name: 'bootstrap', scopes: adminScopes };
    }
    const now = clock();
    const token = await adminTokens.findCurrent(hash, now);
    if (token === undefined) return undefined;
    if (token.scopes.includes('admin:grant')) await endBootstrap();
    noteUse(token.id, now);
    const { id, name, scopes, expiresAt, createdBy } = token;
    return {
      id,
      name,
      scopes,
      ...(expiresAt !== undefined && { expiresAt }),
      ...(createdBy === madeByReset && { makesLasting: true }),
    };
  };
  return {
    endBootstrap,
    async mayBeAdmins(token) {
      const hash = adminTokenHash(token);
      return known.has(hash) || (isBootstrap(hash) && !hasEnded) || isCurrent(hash);
    },
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
