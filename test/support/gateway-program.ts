import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, createPublicKey, type JsonWebKey } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { request } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import {
  type CertificateHeaderForm,
  certificateHeaderNames,
} from '../../src/x509/certificate-header.ts';
import { certificate, type TestCertificate } from './certificates.ts';
import { apiOrigin, type GatewayFixture, gatewayFixture, gatewayToken } from './gateway.ts';
import { randomJti, type TestKey } from './keys.ts';
import { ath } from './pair.ts';
import { freePort } from './ports.ts';
import { scratchFolder } from './scratch.ts';
import { basic, type TestServer } from './server.ts';
import { clientSecret } from './token-endpoint-fixture.ts';

/** Where the gateway is to listen, and what it needs for it. */
export interface GatewayPlace {
  readonly port: number;
  /** Of the API behind it, `127.0.0.1:PORT`. */
  readonly upstream: string;
  /** Of the listener for gateways, `127.0.0.1:PORT`. */
  readonly holdfast: string;
  readonly server: TestServer;
  readonly resourceServerId: string;
  readonly folder: string;
  readonly own: TestCertificate;
  /** Has issued the certificates of clients. */
  readonly ca: TestCertificate;
  /** The issuer's public key. */
  readonly signingKeyPem: string;
  /** Its JWK Set, as it was fetched. */
  readonly jwks: string;
  /** Writes a file into the folder; answers its path. */
  file(name: string, content: string): string;
}

/** A request to the API; what is left out is valid. */
export interface Call {
  readonly method?: string;
  readonly path?: string;
  readonly token?: string;
  /** `null`: no `Authorization`. */
  readonly scheme?: string | null;
  /** `null`: none. Default: a fresh proof with the nonce that the gateway gives. */
  readonly dpop?: string | null;
  readonly by?: TestCertificate;
  readonly fields?: readonly (readonly [string, string])[];
  readonly body?: string;
}

/** An answer by way of the gateway, and the request that reached the API, if one did. */
export interface Called {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly upstream: IncomingMessage['headers'] | undefined;
  readonly body: string;
}

/** A real gateway in front of an API, and a server that it asks. */
export interface GatewayProgram {
  readonly fixture: GatewayFixture;
  readonly key: TestKey;
  call(call?: Call): Promise<Called>;
  proof(token: string, htu?: string, htm?: string): Promise<string>;
  token(scope?: string): Promise<string>;
  /** A token bound to this certificate. */
  certificateToken(by: TestCertificate, resource?: string, scope?: string): Promise<string>;
  certificates(): Promise<readonly [TestCertificate, TestCertificate]>;
  /** Ends the server, while the gateway goes on. */
  stopServer(): Promise<void>;
  close(): Promise<void>;
}

/** How a gateway is started: the command for a place, which stays in the foreground. */
export interface GatewayProgramOptions {
  readonly command: (place: GatewayPlace) => readonly [string, ...string[]];
  /** Variables of the server beside those of every test. */
  readonly env?: Readonly<Record<string, string>>;
  readonly members?: object;
}

const realClock = {
  get now() {
    return Date.now();
  },
};

/** An API that answers with the fields that it got. */
async function openUpstream() {
  const seen: IncomingMessage['headers'][] = [];
  const server = createServer((incoming, response) => {
    void text(incoming).then((body) => {
      seen.push(incoming.headers);
      response.setHeader('x-method', incoming.method ?? '').end(`api ${incoming.url} ${body}`);
    });
  }).listen(0, '127.0.0.1');
  server.on('upgrade', (incoming, socket) => {
    seen.push(incoming.headers);
    // RFC 6455 §4.2.2; HAProxy checks it.
    const accepted = createHash('sha1')
      .update(`${incoming.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64');
    const fields = [
      'Connection: Upgrade',
      'Upgrade: websocket',
      `Sec-WebSocket-Accept: ${accepted}`,
    ];
    socket.end(['HTTP/1.1 101 Switching Protocols', ...fields, '', ''].join('\r\n'));
  });
  await once(server, 'listening');
  return { seen, server, address: `127.0.0.1:${(server.address() as AddressInfo).port}` };
}

/** Starts API, server and gateway. */
export async function openGatewayProgram({
  command,
  env = {},
  members = {},
}: GatewayProgramOptions): Promise<GatewayProgram> {
  const folder = scratchFolder();
  const file = (name: string, content: string) => {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, name), content, { mode: 0o600 });
    return join(folder, name);
  };
  const day = 86_400_000;
  const valid = { notBefore: Date.now() - day, notAfter: Date.now() + day };
  const own = await certificate({
    subject: 'CN=api',
    names: [{ type: 'dns', value: 'api.example.com' }],
    ...valid,
  });
  const ca = await certificate({ subject: 'CN=clients', ca: true, ...valid });
  const upstream = await openUpstream();
  const fixture = await gatewayFixture(
    {
      clock: realClock,
      env: { TRUSTED_PROXIES: '127.0.0.0/8', CLIENT_CERTIFICATE_HEADER: 'nginx', ...env },
    },
    { scopes: ['read', 'write', 'reader'], ...members },
  );
  const form = (env['CLIENT_CERTIFICATE_HEADER'] ?? 'nginx') as CertificateHeaderForm;
  const { server, key, resourceServerId } = fixture;
  await server.admin('PATCH', 'clients/app', { scope: 'read write' });
  await server.admin('POST', 'clients', {
    client_id: 'device',
    client_secret: clientSecret,
    scope: 'read write reader',
    tls_client_certificate_bound_access_tokens: true,
  });
  const port = await freePort();
  const holdfast = server.gatewayUrl.replace('http://', '');
  const { keys } = (await server.get('/jwks')).body as { keys: JsonWebKey[] };
  const signingKeyPem = String(
    createPublicKey({ format: 'jwk', key: keys[0] as JsonWebKey }).export({
      type: 'spki',
      format: 'pem',
    }),
  );
  const place = { port, upstream: upstream.address, holdfast, server, resourceServerId };
  const jwks = JSON.stringify({ keys });
  const files = { folder, own, ca, signingKeyPem, jwks, file };
  const child = await started(command({ ...place, ...files }), port);

  let nonce: string | undefined;
  let stopped = false;
  const proof: GatewayProgram['proof'] = async (token, htu = `${apiOrigin}/things`, htm = 'GET') =>
    key.proof({
      htm,
      htu,
      ath: ath(token),
      iat: Math.floor(Date.now() / 1000),
      jti: randomJti(),
      ...(nonce !== undefined && { nonce }),
    });
  const tokenWith = async (
    clientId: string,
    headers: Record<string, string>,
    scope = 'read',
    resource = apiOrigin,
  ) => {
    const form = {
      grant_type: 'client_credentials',
      resource,
      ...(resource === apiOrigin && { scope }),
    };
    const fields = { authorization: basic(clientId, clientSecret), ...headers };
    return server.post('/token', form, fields);
  };
  const token: GatewayProgram['token'] = async (scope = 'read') => {
    const iat = Math.floor(Date.now() / 1000);
    const first = await tokenWith('app', { dpop: await key.proof({ iat }) }, scope);
    const given = first.headers.get('dpop-nonce');
    if (first.status === 200 || given === null) return first.body.access_token as string;
    const dpop = await key.proof({ iat, nonce: given });
    return (await tokenWith('app', { dpop }, scope)).body.access_token as string;
  };
  const send = async (call: Call, shown: string, dpop: string | null): Promise<Called> => {
    const { scheme = 'DPoP', by, method = 'GET', path = '/things', fields = [], body = '' } = call;
    const before = upstream.seen.length;
    const outgoing = request({
      host: '127.0.0.1',
      port,
      path,
      method,
      ca: own.pem,
      servername: 'api.example.com',
      agent: false,
      setHost: false,
      headers: [
        ...(fields.some(([name]) => name === 'Host') ? [] : [['Host', 'api.example.com']]),
        ...(scheme === null ? [] : [['Authorization', `${scheme} ${shown}`]]),
        ...(dpop === null ? [] : [['DPoP', dpop]]),
        ...(body === '' ? [] : [['Content-Length', String(body.length)]]),
        ...fields,
      ].flat(),
      ...(by !== undefined && { cert: by.pem, key: by.keyPem }),
    });
    outgoing.end(body);
    const [response] = (await Promise.race([
      once(outgoing, 'response'),
      once(outgoing, 'upgrade'),
    ])) as [IncomingMessage, Socket?];
    if (response.statusCode === 101) response.socket.destroy();
    return {
      status: response.statusCode ?? 0,
      headers: response.headers,
      body: response.statusCode === 101 ? '' : await text(response),
      upstream: upstream.seen[before],
    };
  };
  return {
    fixture,
    key,
    token,
    proof,
    async call(call = {}) {
      const shown = call.token ?? (call.scheme === null ? '' : await token());
      if (call.dpop !== undefined) return send(call, shown, call.dpop);
      const { path = '/things', method = 'GET' } = call;
      const url = `${apiOrigin}${path.split('?')[0]}`;
      const answer = await send(call, shown, await proof(shown, url, method));
      const given = answer.headers['dpop-nonce'];
      if (answer.status !== 401 || typeof given !== 'string') return answer;
      nonce = given;
      return send(call, shown, await proof(shown, url, method));
    },
    certificates: async () => [
      await certificate({ subject: 'CN=mine', issuer: ca, ...valid }),
      await certificate({ subject: 'CN=other', issuer: ca, ...valid }),
    ],
    async certificateToken(by, resource, scope) {
      const field = Object.fromEntries([certificateField(form, by)]);
      const { body } = await tokenWith('device', field, scope, resource);
      return body.access_token as string;
    },
    async stopServer() {
      stopped = true;
      await server.stop();
    },
    async close() {
      child.kill('SIGTERM');
      if (child.exitCode === null) await once(child, 'exit');
      upstream.server.closeAllConnections();
      upstream.server.close();
      if (!stopped) await server.stop();
    },
  };
}

/** The field in which a front door of this form says who has which certificate. */
export function certificateField(
  form: CertificateHeaderForm,
  { der, pem }: Pick<TestCertificate, 'der' | 'pem'>,
): readonly [string, string] {
  const base64 = der.toString('base64');
  const values: Partial<Record<CertificateHeaderForm, string>> = {
    rfc9440: `:${base64}:`,
    haproxy: base64,
    envoy: `Cert="${encodeURIComponent(pem)}"`,
  };
  return [certificateHeaderNames[form], values[form] ?? encodeURIComponent(pem)];
}

/** Starts the program and waits until it speaks TLS. Throws what it complains of when it ends instead. */
async function started(
  [command, ...args]: readonly [string, ...string[]],
  port: number,
): Promise<ChildProcess> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let complaints = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (complaints += chunk.toString()));
  for (let tries = 0; ; tries++) {
    if (child.exitCode !== null || tries > 300) throw new Error(`${command}: ${complaints}`);
    const options = { host: '127.0.0.1', port, servername: 'api.example.com' };
    const socket = connect({ ...options, rejectUnauthorized: false });
    const reached = await Promise.race([
      once(socket, 'secureConnect').then(() => true),
      once(socket, 'close').then(() => false),
    ]).catch(() => false);
    socket.destroy();
    if (reached) return child;
    await sleep(50);
  }
}

/** Fields of ours, of the forms, and of the gateway itself that a client may send, too. */
export const smuggledFields = (): readonly (readonly [string, string])[] => [
  ['X-Forwarded-Method', 'GET'],
  ['X-Forwarded-Proto', 'https'],
  ['X-Forwarded-Host', 'api.example.com'],
  ['X-Forwarded-Uri', '/other'],
  ['X-Original-Method', 'GET'],
  ['X-Original-URL', `${apiOrigin}/other`],
  ['X-Original-Uri', '/other'],
  ['X-Rewrite-Url', '/other'],
  ['Holdfast-Gateway-Token', gatewayToken],
  ['Holdfast-Required-Scope', 'read'],
  ['Holdfast-Want-Assertion', 'true'],
  ['Holdfast-Would-Refuse', 'no'],
  ['Holdfast-Subject', 'admin'],
  ['Holdfast-Client-Id', 'admin'],
  ['Holdfast-Presenter', 'admin'],
  ['Holdfast-Scope', 'read write'],
  ['Holdfast-Key', 'x'],
  ['Holdfast-Token-Id', 'x'],
  ['Holdfast-Assertion', 'x.y.z'],
  ['Holdfast_Subject', 'admin'],
  ['holdfast-subject', 'admin'],
  ['Holdfast-Client_Id', 'admin'],
  ['Holdfast_Client-Id', 'admin'],
  ['HOLDFAST_CLIENT_ID', 'admin'],
  ['Holdfast_Token-Id', 'x'],
  ['Holdfast-Would_Refuse', 'no'],
  ['Holdfast-Read-Certificate', 'true'],
  ['Connection', 'Holdfast-Scope, Holdfast-Presenter'],
  ['Connection', 'keep-alive, holdfast-subject, Holdfast-Key, Holdfast-Would-Refuse'],
];
