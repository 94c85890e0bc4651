import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import {
  type ResourceServerOptions,
  resourceServer,
  TokenRefused,
} from '../../packages/resource-server/src/resource-server.ts';
import { freePort } from './ports.ts';

/** A request as it came in. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** Reason of the refusal, or who presented the token. */
  readonly outcome: string;
}

/** A real API on loopback whose audience is where it really is. */
export interface Api {
  readonly origin: string;
  /** Every request, the last one last. */
  readonly seen: SeenRequest[];
  /** Milliseconds by which its clock is ahead, in `Date` and for proofs. */
  clockAhead: number;
  /** Tokens that it refuses from now on, whoever presents them. */
  readonly withdrawn: Set<string>;
  close(): Promise<void>;
}

/** How an API differs from an ordinary one. */
export interface ApiOptions extends Partial<ResourceServerOptions> {
  /** True: every proof needs a nonce. */
  readonly nonceRequired?: boolean;
  /** Fields of every answer. */
  readonly headers?: Readonly<Record<string, string>>;
  /** PEM of the client's certificate, by call. */
  readonly certificate?: () => string | undefined;
  /** Answers a request without a token; undefined: it needs one. */
  readonly open?: (request: IncomingMessage, response: ServerResponse) => boolean;
}

/**
 * Starts an API that answers `{ presenter, method, body }` to whoever presents a token rightly, and
 * a redirect where the query says `to` and `status`.
 */
export async function openApi(issuer: string, options: ApiOptions = {}): Promise<Api> {
  const { nonceRequired = false, headers = {}, certificate, open, ...more } = options;
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const seen: SeenRequest[] = [];
  const withdrawn = new Set<string>();
  const api = { origin, seen, withdrawn, clockAhead: 0 };
  const verify = resourceServer({
    issuer: { issuer, altCnf: true },
    audience: origin,
    clock: () => Date.now() + api.clockAhead,
    ...(nonceRequired && { nonce: { secret: randomBytes(32) } }),
    ...more,
  });
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = '', url: path = '', rawHeaders } = request;
    const send = (status: number, fields: object, body: object) =>
      void response
        .writeHead(status, {
          'content-type': 'application/json',
          date: new Date(Date.now() + api.clockAhead).toUTCString(),
          ...headers,
          ...fields,
        })
        .end(JSON.stringify(body));
    if (open?.(request, response) === true) return;
    const body = await text(request);
    const note = (outcome: string) =>
      void seen.push({ method, path, headers: request.headers, body, outcome });
    const pem = certificate?.();
    try {
      const { authorization = '' } = request.headers;
      const presented = await verify({
        method,
        url: `${origin}${path}`,
        headers: rawHeaders,
        ...(pem !== undefined && { certificate: pem }),
      });
      if (withdrawn.has(authorization.split(' ')[1] ?? '')) {
        note('withdrawn');
        send(401, { 'www-authenticate': 'DPoP error="invalid_token", algs="ES256"' }, {});
        return;
      }
      note(`${presented.presenter} by ${presented.method}`);
      const nonce = presented.dpopNonce;
      const fields = nonce === undefined ? {} : { 'dpop-nonce': nonce };
      const query = new URL(path, origin).searchParams;
      const to = query.get('to');
      if (to !== null) send(Number(query.get('status') ?? 302), { ...fields, location: to }, {});
      else send(200, fields, { presenter: presented.presenter, method: presented.method, body });
    } catch (error) {
      if (!(error instanceof TokenRefused)) throw error;
      note(error.reason);
      send(error.status, error.headers, error.body);
    }
  };
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  }).listen(port, '127.0.0.1');
  await once(server, 'listening');
  return Object.assign(api, {
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  });
}

/** A server of another origin that takes everything and notes the fields. */
export async function openStranger(): Promise<{
  readonly origin: string;
  readonly seen: IncomingMessage['headers'][];
  close(): Promise<void>;
}> {
  const seen: IncomingMessage['headers'][] = [];
  const server = createServer((request, response) => {
    seen.push(request.headers);
    request.resume();
    const to = new URL(request.url ?? '', 'http://stranger.invalid').searchParams.get('to');
    if (to === null) response.end('stranger');
    else response.writeHead(302, { location: to }).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
