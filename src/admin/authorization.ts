import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type ActingAdmin, actingAs, recordedName } from '../domain/acting-admin.ts';
import type { AdminScope } from '../domain/admin-access.ts';
import { adminTokenHash } from './admin-token.ts';
import type { AdminAuthentication } from './authenticate-admin.ts';
import { type BoundAdmins, boundAdmin, boundAdminAgain } from './bound-admins.ts';
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
    /** Finds its admin anew, who may have been removed since. Throws Problem, StoreUnavailable. */
    admitAgain?: () => Promise<void>;
  }
}

/** One sentence, so that it does not tell a wrong token from a missing one. */
const notAdmitted = 'the admin token is missing or not accepted';

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
  app.decorateRequest('admitAgain');
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
  const { authenticate, authenticateAgain } = authenticating(authentication, bound, fields);
  app.addHook('onRequest', async (request, reply) => {
    void reply.header('cache-control', 'no-store');
    admit(request, reply, await authenticate(request, reply));
    request.admitAgain = async () => admit(request, reply, await authenticateAgain(request, reply));
  });
  // The sender decides when its body ends, and may have been removed before.
  app.addHook('preHandler', async (request) => {
    if (hasBody(request)) await request.admitAgain?.();
  });
  // Not earlier: the async context is lost while the body is read.
  app.addHook('preHandler', (request, _reply, done) => {
    if (request.admin === undefined) done();
    else actingAs(request.admin, done);
  });
}

/** Lets this admin act in the request if it has the scope for it. Throws Problem. */
function admit(request: FastifyRequest, reply: FastifyReply, admin: ActingAdmin): void {
  const scope = scopeFor(request);
  request.admin = admin;
  request.logFields = { ...request.logFields, admin: recordedName(admin) };
  if (scope === undefined || admin.scopes.includes(scope)) return;
  void reply.header('www-authenticate', `Bearer error="insufficient_scope", scope="${scope}"`);
  throw new Problem(403, `this needs the admin scope ${scope}`);
}

/** Whether the head announces a body, even one that turns out to be empty. */
function hasBody({ headers }: FastifyRequest): boolean {
  const { 'content-length': length = '0', 'transfer-encoding': coding } = headers;
  return coding !== undefined || length !== '0';
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
  const credentialsOf = (request: FastifyRequest) => {
    const [field = '', ...more] = fields(request.raw, 'authorization');
    const found = more.length > 0 ? undefined : /^(bearer|dpop) +(\S+)$/i.exec(field);
    const [, scheme = '', token = ''] = found ?? [];
    return { scheme: scheme.toLowerCase(), token };
  };
  const named = async ({ routeOptions }: FastifyRequest, token: string) =>
    authenticate(token, routeOptions.config.storeless === true);
  const adminOf = async (request: FastifyRequest, reply: FastifyReply) => {
    const { scheme, token } = credentialsOf(request);
    if (scheme === 'bearer') return named(request, token);
    if (scheme !== 'dpop') return undefined;
    const dpopProofs = fields(request.raw, 'dpop');
    const admin = await boundAdmin(bound, { token, dpopProofs }, request, reply);
    if (typeof admin === 'object' && admin.scopes.includes('admin:grant')) await endBootstrap();
    return admin;
  };
  return {
    async authenticate(request: FastifyRequest, reply: FastifyReply): Promise<ActingAdmin> {
      const address = request.raw.socket.remoteAddress ?? '';
      const { scheme, token } = credentialsOf(request);
      // Valid admin tokens are never throttled by strangers behind the same address. A bound token
      // without its key, such as a leaked one, is counted separately.
      const isBound = scheme === 'dpop' && (await bound.isOwn(token));
      const counted = isBound ? `${address} ${adminTokenHash(token)}` : address;
      const wait = refused.waitOf(counted);
      if (wait !== undefined && !(scheme === 'bearer' && (await mayBeAdmins(token)))) {
        void reply.header('retry-after', String(wait));
        throw new Problem(429, 'too many requests without an admin token; try again later');
      }
      const admin = await adminOf(request, reply);
      if (typeof admin === 'object') {
        // Earlier failures of a client that has the key were mistakes.
        if (isBound) refused.clear(counted);
        return admin;
      }
      // Not counted: parallel requests from the key's holder each get a nonce challenge.
      if (admin !== 'challenged') refused.note(counted);
      throw new Problem(401, notAdmitted);
    },
    /** Judges the sender of an authenticated request as of now. Its proof was used up. */
    async authenticateAgain(request: FastifyRequest, reply: FastifyReply): Promise<ActingAdmin> {
      const { scheme, token } = credentialsOf(request);
      const admin = await (scheme === 'bearer'
        ? named(request, token)
        : boundAdminAgain(bound, token, request, reply));
      if (typeof admin === 'object') return admin;
      throw new Problem(401, notAdmitted);
    },
  };
}
