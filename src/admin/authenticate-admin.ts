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

/** What admins are authenticated against. */
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
   * Undefined: the token is not an admin's. Throws StoreUnavailable, unless `storeless` says that
   * the request needs no store: then the last known answer counts.
   */
  authenticate(token: string, storeless: boolean): Promise<ActingAdmin | undefined>;
  /** Whether it could be an admin's token, with few store reads for strangers. */
  mayBeAdmins(token: string): Promise<boolean>;
  /** Ends the first token, because another admin can create admins now. */
  endBootstrap(): Promise<void>;
}

/** The name of the record that a first token has ended. */
export const bootstrapEnded = (bootstrapHash: string) => `bootstrap_ended:${bootstrapHash}`;

/** Milliseconds by which the recorded last use may lag. */
const precision = 60_000;

/** Authenticates admins by the first token, until it has ended, and by named tokens. */
export function adminAuthentication(options: AdminAuthenticationOptions): AdminAuthentication {
  const { bootstrapHash, adminTokens, secrets, clock } = options;
  const known = new LRUCache<string, ActingAdmin>({ max: 1000 });
  const noted = new LRUCache<string, number>({ max: 1000 });
  // The record is per token: setting another ADMIN_TOKEN gives a first token again.
  const ended = bootstrapEnded(bootstrapHash);
  let hasEnded = false;
  const endBootstrap = async () => {
    if (!hasEnded) await secrets.putSecretOnce(ended, '1');
    hasEnded = true;
  };
  const noteUse = (id: string, now: number) => {
    if (now - (noted.get(id) ?? Number.NEGATIVE_INFINITY) < precision) return;
    noted.set(id, now);
    // Only informs the operator, so a failure here must not fail the request.
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
