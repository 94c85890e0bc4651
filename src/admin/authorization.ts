import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type ActingAdmin, actingAs, recordedName } from '../domain/acting-admin.ts';
import type { AdminScope } from '../domain/admin-access.ts';
import { adminTokenHash } from './admin-token.ts';
import type { AdminAuthentication } from './authenticate-admin.ts';
import { type BoundAdmins, boundAdmin } from './bound-admins.ts';
import { problemAnswer } from './operation.ts';
import { Problem } from './problem.ts';
import { refusedAddresses } from './refused-addresses.ts';
import { dryRunScope, requiredScope } from './required-scope.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Scope that the route requires; absent: any admin may call it. */
    adminScope?: AdminScope;
    /** True: the route reads no store. */
    storeless?: boolean;
  }
  interface FastifyRequest {
    /** The authenticated admin. */
    admin?: ActingAdmin;
  }
}

/** Every value of a header field, in message order. */
export type ReadFields = (request: IncomingMessage, name: string) => readonly string[];

/**
 * Requires an admin for every path, even unknown ones. Every route mounted from now on gets its
 * required scope, which its document shows.
 */
export function admitAdmins(
  app: FastifyInstance,
  authentication: AdminAuthentication,
  bound: BoundAdmins,
  fields: ReadFields,
): void {
  app.decorateRequest('admin');
  app.addHook('onRoute', (route) => {
    if (route.schema?.hide === true) return;
    const method = [route.method].flat()[0] ?? 'GET';
    const scope = requiredScope(method, route.url);
    const response = (route.schema?.response ?? {}) as Record<string, unknown>;
    route.config = {
      ...route.config,
      storeless: !('503' in response),
      ...(scope !== undefined && { adminScope: scope }),
    };
    if (scope === undefined) return;
    route.schema = {
      ...route.schema,
      security: [{ admin_token: [scope] }, { bound_admin_token: [scope] }],
      response: { ...response, 403: problemAnswer(403) },
    };
  });
  const authenticate = authenticating(authentication, bound, fields);
  app.addHook('onRequest', async (request, reply) => {
    void reply.header('cache-control', 'no-store');
    const admin = await authenticate(request, reply);
    const scope = scopeFor(request);
    request.admin = admin;
    request.logFields = { ...request.logFields, admin: recordedName(admin) };
    if (scope === undefined || admin.scopes.includes(scope)) return;
    void reply.header('www-authenticate', `Bearer error="insufficient_scope", scope="${scope}"`);
    throw new Problem(403, `this needs the admin scope ${scope}`);
  });
  // Not earlier: the async context is lost while the body is read.
  app.addHook('preHandler', (request, _reply, done) => {
    if (request.admin === undefined) done();
    else actingAs(request.admin, done);
  });
}

function scopeFor({ query, routeOptions: { url = '', config } }: FastifyRequest) {
  const { dry_run: dryRun } = query as { readonly dry_run?: unknown };
  return (dryRun === 'true' ? dryRunScope(url) : undefined) ?? config.adminScope;
}

function authenticating(
  { authenticate, mayBeAdmins, endBootstrap }: AdminAuthentication,
  bound: BoundAdmins,
  fields: ReadFields,
) {
  const refused = refusedAddresses();
  const adminOf = async (
    request: FastifyRequest,
    reply: FastifyReply,
    [, scheme, token]: readonly string[],
  ) => {
    if (scheme === undefined || token === undefined) return undefined;
    const storeless = request.routeOptions.config.storeless === true;
    if (/^bearer$/i.test(scheme)) return authenticate(token, storeless);
    const dpopProofs = fields(request.raw, 'dpop');
    const admin = await boundAdmin(bound, { token, dpopProofs }, request, reply);
    if (typeof admin === 'object' && admin.scopes.includes('admin:grant')) await endBootstrap();
    return admin;
  };
  return async (request: FastifyRequest, reply: FastifyReply): Promise<ActingAdmin> => {
    const address = request.raw.socket.remoteAddress ?? '';
    const [field = '', ...more] = fields(request.raw, 'authorization');
    const credentials = more.length > 0 ? [] : (/^(bearer|dpop) +(\S+)$/i.exec(field) ?? []);
    const [, scheme = '', token = ''] = credentials;
    // Valid admin tokens are never throttled by strangers behind the same address. A bound token
    // without its key, such as a leaked one, is counted separately.
    const isBound = /^dpop$/i.test(scheme) && (await bound.isOwn(token));
    const counted = isBound ? `${address} ${adminTokenHash(token)}` : address;
    const wait = refused.waitOf(counted);
    if (wait !== undefined && !(/^bearer$/i.test(scheme) && (await mayBeAdmins(token)))) {
      void reply.header('retry-after', String(wait));
      throw new Problem(429, 'too many requests without an admin token, try again later');
    }
    const admin = await adminOf(request, reply, credentials);
    if (typeof admin === 'object') {
      // Earlier failures of a client that has the key were mistakes.
      if (isBound) refused.clear(counted);
      return admin;
    }
    // Not counted: parallel requests from the key's holder each get a nonce challenge.
    if (admin !== 'challenged') refused.note(counted);
    throw new Problem(401, 'the admin token is required');
  };
}
