import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { adminAudience, adminScopes } from '../../src/domain/admin-access.ts';
import { type Answer, basic } from './server.ts';
import {
  clientSecret,
  type TokenEndpointFixture,
  tokenEndpointFixture,
} from './token-endpoint-fixture.ts';

const scopes = [
  'clients:read',
  'clients:write',
  'configuration:write',
  'keys:rotate',
  'admin:read',
  'admin:grant',
];

/** An admin that sends a request slowly. */
export interface Sender {
  /** The id of a named token, or the name of a client. */
  readonly id: string;
  readonly token: string;
  /** The header fields of a request by this admin. */
  fields(method: string, path: string): Promise<readonly string[]>;
}

/** A server that requires nonces, an admin who stays, and ways to make admins who do not. */
export interface SlowAdmins {
  readonly fixture: TokenEndpointFixture;
  /** Acts as the admin who stays. */
  root(method: string, path: string, body?: unknown): Promise<Answer>;
  /** Makes a named token. */
  named(more?: object): Promise<Sender>;
  /** Makes a client that is an admin, with a token. */
  bound(): Promise<Sender>;
}

/** Opens a server with slow admins. */
export async function slowAdmins(): Promise<SlowAdmins> {
  const fixture = await tokenEndpointFixture({
    env: { DPOP_NONCE: 'required', DPOP_NONCE_LIFETIME: '60' },
  });
  const { server } = fixture;
  const made = await server.admin('POST', 'admin-tokens', { name: 'root', scopes: adminScopes });
  const authorization = `Bearer ${made.body.token}`;
  const root: SlowAdmins['root'] = async (method, path, body) =>
    server.admin(method, path, body, { authorization });
  let number = 0;
  return {
    fixture,
    root,
    async named(more = {}) {
      const body = { name: `named-${++number}`, scopes, ...more };
      const { id, token } = (await root('POST', 'admin-tokens', body)).body;
      return { id, token, fields: async () => [`Authorization: Bearer ${token}`] };
    },
    async bound() {
      const id = `bound-${++number}`;
      const client = { client_id: id, client_secret: clientSecret, resources: [adminAudience] };
      const { status } = await root('POST', 'clients', { ...client, admin_scopes: scopes });
      expect(status).toBe(201);
      return boundSender(fixture, id);
    },
  };
}

async function boundSender(
  { server, key, send }: TokenEndpointFixture,
  id: string,
): Promise<Sender> {
  const form = { grant_type: 'client_credentials', resource: adminAudience };
  const authorization = basic(id, clientSecret);
  const first = await send({ form, authorization });
  const nonce = String(first.headers['dpop-nonce']);
  const answer = await send({ form, authorization, dpop: await key.proof({ nonce }) });
  const { access_token: token } = JSON.parse(answer.body) as { access_token: string };
  const ath = createHash('sha256').update(token).digest('base64url');
  return {
    id,
    token,
    async fields(method, path) {
      const claims = { htm: method, htu: `${server.adminUrl}${path}`, ath, nonce };
      const iat = Math.floor(server.clock.now / 1000);
      return [`Authorization: DPoP ${token}`, `DPoP: ${await key.proof({ ...claims, iat })}`];
    },
  };
}

/** Sends the head of a request and some of its body, does `meanwhile`, then sends the rest. */
export async function slowly(
  { fixture: { server } }: SlowAdmins,
  by: Sender,
  path: string,
  [framing, begun, rest]: readonly [string, string, string],
  meanwhile: () => unknown,
): Promise<{ readonly head: string; readonly outcome: string }> {
  const { hostname, port } = new URL(server.adminUrl);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  const head = [
    `POST ${path} HTTP/1.1`,
    'Host: x',
    'Content-Type: application/json',
    'Connection: close',
    framing,
    ...(await by.fields('POST', path)),
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n${begun}`);
  const answer = text(socket);
  // A later request is answered, so the head of this one was judged.
  const clients = '/admin/clients';
  const headers = (await by.fields('GET', clients)).map((field) => field.split(': ', 2));
  const { status } = await fetch(`${server.adminUrl}${clients}`, {
    headers: headers as [string, string][],
  });
  expect(status).toBe(200);
  await sleep(20);
  await meanwhile();
  socket.write(rest);
  const [top = '', body = ''] = (await answer).split('\r\n\r\n');
  const { detail = '' } = JSON.parse(body) as { readonly detail?: string };
  return { head: top, outcome: `${top.split(' ', 2)[1]} ${detail}`.trim() };
}

/** The parts of a message whose body stops after `begun` characters. */
export function stopping(content: object, begun: number): readonly [string, string, string] {
  const body = JSON.stringify(content);
  return [`Content-Length: ${body.length}`, body.slice(0, begun), body.slice(begun)];
}
