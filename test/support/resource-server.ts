import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import fastify from 'fastify';
import { tokenRequired as onExpress } from '../../packages/resource-server/src/express.ts';
import { tokenRequired as onFastify } from '../../packages/resource-server/src/fastify.ts';
import {
  type ResourceServerOptions,
  resourceServer,
  type TokenRefused,
} from '../../packages/resource-server/src/resource-server.ts';
import type { TestKey } from './keys.ts';
import { ath, aware } from './pair.ts';
import { type RawAnswer, rawRequest } from './raw-request.ts';
import type { TestServer } from './server.ts';

export type Framework = 'Fastify' | 'Express';

/** A real resource server on loopback that serves `GET /events` to whoever presents a token rightly, and `GET /admin` to those with the scope `admin`. */
export interface Recipient {
  /** The public origin, which proofs name; requests go to loopback. */
  readonly origin: string;
  readonly url: string;
  /** Reasons of refusals, the last one last. */
  readonly reasons: string[];
  /** A request with exactly these header fields. */
  send(
    fields: readonly (readonly [string, string])[],
    path?: string,
    method?: string,
  ): Promise<RawAnswer>;
  /** The request of an honest holder: scheme `DPoP`, a fresh proof. Members change the proof. */
  present(token: string, key: TestKey, claims?: object, header?: object): Promise<RawAnswer>;
  /** A proof for `GET /events` with this token. */
  proof(token: string, key: TestKey, claims?: object, header?: object): Promise<string>;
  close(): Promise<void>;
}

/** How a recipient differs from an ordinary one. */
export interface RecipientOptions extends Partial<ResourceServerOptions> {
  readonly framework?: Framework;
  /** PEM that the front door of this recipient hands on, by call. */
  readonly certificate?: () => string | undefined;
}

/** Starts a recipient that knows nothing of the authorization server but its issuer identifier, and where loopback hides it. */
export async function openRecipient(
  server: TestServer,
  { framework = 'Fastify', certificate, ...options }: RecipientOptions = {},
): Promise<Recipient> {
  const audience = options.audience ?? aware;
  const reasons: string[] = [];
  const verify = resourceServer({
    issuer: { issuer: server.issuer, altCnf: true },
    audience,
    clock: () => server.clock.now,
    fetch: fetchFrom(server),
    ...options,
  });
  const adapter = {
    origin: audience,
    onRefused: ({ reason }: TokenRefused) => void reasons.push(reason),
    ...(certificate !== undefined && { certificate }),
  };
  const { port, close } =
    framework === 'Fastify'
      ? await serveFastify(onFastify(verify, adapter))
      : await serveExpress(onExpress(verify, adapter));
  const url = `http://127.0.0.1:${port}`;
  const proof: Recipient['proof'] = async (token, key, claims = {}, header = {}) =>
    key.proof(
      {
        htm: 'GET',
        htu: `${audience}/events`,
        ath: ath(token),
        iat: Math.floor(server.clock.now / 1000),
        ...claims,
      },
      header,
    );
  const send: Recipient['send'] = async (fields, path = '/events', method = 'GET') =>
    rawRequest(`${url}${path}`, method, fields);
  return {
    origin: audience,
    url,
    reasons,
    proof,
    send,
    present: async (token, key, claims, header) =>
      send([
        ['authorization', `DPoP ${token}`],
        ['dpop', await proof(token, key, claims, header)],
      ]),
    close,
  };
}

/** `fetch` that finds the issuer on loopback. */
export function fetchFrom(server: TestServer, seen: string[] = []): typeof fetch {
  return async (input, init) => {
    const uri = input instanceof Request ? input.url : input.toString();
    seen.push(uri);
    return fetch(uri.replace(server.issuer, server.url), init);
  };
}

async function serveFastify(
  required: ReturnType<typeof onFastify>,
): Promise<{ port: number; close(): Promise<void> }> {
  const app = fastify();
  app.get('/events', { onRequest: required() }, async ({ presented }) => presented);
  app.get('/admin', { onRequest: required('admin') }, async ({ presented }) => presented);
  await app.listen({ host: '127.0.0.1', port: 0 });
  return { port: (app.server.address() as AddressInfo).port, close: async () => app.close() };
}

async function serveExpress(
  required: ReturnType<typeof onExpress>,
): Promise<{ port: number; close(): Promise<void> }> {
  const app = express();
  app.get('/events', required(), (request, response) => void response.json(request.presented));
  app.get(
    '/admin',
    required('admin'),
    (request, response) => void response.json(request.presented),
  );
  return listening(createServer(app));
}

/** Listens on a port that the system chooses; closes with every connection. */
export async function listening(server: Server): Promise<{ port: number; close(): Promise<void> }> {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** The answer in short: who presented it by which method, or status and error. */
export function presentedBy({ status, body }: RawAnswer): string {
  const { presenter, method, error } = JSON.parse(body) as {
    presenter?: string;
    method?: string;
    error?: string;
  };
  return status === 200 ? `${presenter} by ${method}` : `${status} ${error ?? ''}`.trim();
}
