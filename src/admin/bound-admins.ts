import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ActingAdmin } from '../domain/acting-admin.ts';
import { OAuthError } from '../domain/oauth-error.ts';
import {
  type CheckAdminAccess,
  OnlyNonceLacking,
} from '../protocol/admin-access/check-admin-access.ts';

/** Admins that are clients of this server, with its token and a DPoP proof (RFC 9449 §7.1). */
export interface BoundAdmins {
  readonly check: CheckAdminAccess;
  /** The admin of a token whose sender was checked before. Throws OAuthError, StoreUnavailable. */
  readonly checkAgain: (token: string) => Promise<ActingAdmin>;
  /** Whether this server signed it for its admin API and it has not expired. */
  readonly isOwn: (token: string) => Promise<boolean>;
  /** A nonce for the next proof. */
  readonly freshNonce: () => string;
  readonly algs: readonly string[];
  /** The origin at which admins call the listener; undefined: where it listens. */
  readonly origin: string | undefined;
}

/** Judges the token and proof of a request. Throws StoreUnavailable. */
export async function boundAdmin(
  bound: BoundAdmins,
  { token, dpopProofs }: { readonly token: string; readonly dpopProofs: readonly string[] },
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<ActingAdmin | 'challenged' | undefined> {
  const [path] = request.url.split('?', 1);
  const origins = bound.origin === undefined ? originsOf(request.raw) : [bound.origin];
  const uris = origins.map((each) => `${each}${path}`);
  const { method } = request;
  return orChallenge(bound, request, reply, async () =>
    bound.check({ token, dpopProofs, method, uris }),
  );
}

/** Judges the token of a request again, but not its proof. Throws StoreUnavailable. */
export async function boundAdminAgain(
  bound: BoundAdmins,
  token: string,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<ActingAdmin | 'challenged' | undefined> {
  return orChallenge(bound, request, reply, async () => bound.checkAgain(token));
}

/**
 * Finds the admin; otherwise sends the challenge of RFC 9449 §7.1. `challenged`: only a nonce is
 * missing; undefined: not an admin's.
 */
async function orChallenge(
  { freshNonce, algs }: BoundAdmins,
  request: FastifyRequest,
  reply: FastifyReply,
  find: () => Promise<ActingAdmin>,
): Promise<ActingAdmin | 'challenged' | undefined> {
  try {
    return await find();
  } catch (fault) {
    if (!(fault instanceof OAuthError)) throw fault;
    request.logFields = { ...request.logFields, reason: fault.reason };
    const error = fault.code === 'use_dpop_nonce' ? fault.code : 'invalid_token';
    if (error === 'use_dpop_nonce') void reply.header('dpop-nonce', freshNonce());
    void reply.header('www-authenticate', `DPoP error="${error}", algs="${algs.join(' ')}"`);
    return fault instanceof OnlyNonceLacking ? 'challenged' : undefined;
  }
}

/** Origins by the server's end of the connection, since `Host` is chosen by the client. */
function originsOf({ socket }: IncomingMessage): readonly string[] {
  const { localAddress = '', localPort = 0 } = socket;
  const scheme = socket instanceof TLSSocket ? 'https' : 'http';
  const address = localAddress.replace(/^::ffff:/, '');
  const host = address.includes(':') ? `[${address}]` : address;
  const isLoopback = address === '::1' || address.startsWith('127.');
  return [host, ...(isLoopback ? ['localhost'] : [])].map(
    (each) => `${scheme}://${each}:${localPort}`,
  );
}
