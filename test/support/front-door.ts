import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { certificate, type TestCertificate } from './certificates.ts';
import { freePort } from './ports.ts';
import { rawRequest } from './raw-request.ts';
import { basic, formBody, type TestServer, testServer } from './server.ts';
import { clientSecret, outcomeOf } from './token-endpoint-fixture.ts';

const grant = { grant_type: 'client_credentials' };
/** The proxy speaks to the server from an address of its own, so that it can be told from everybody else on loopback. */
export const proxyAddress = '127.0.0.2';
export const bySecret = { authorization: basic('secret', clientSecret) };

/** Who connects, with which form and header fields. */
export interface Asked {
  readonly by?: TestCertificate;
  readonly form?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Where the proxy is to listen, and what it needs for it. */
export interface Place {
  readonly port: number;
  /** Of the server behind the proxy, `127.0.0.1:PORT`. */
  readonly upstream: string;
  readonly folder: string;
  readonly own: TestCertificate;
  readonly ca: TestCertificate;
  /** Writes a file into the folder; answers its path. */
  file(name: string, content: string): string;
}

/** A server behind a real proxy, with clients registered for every way to use a certificate. */
export interface FrontDoor {
  readonly server: TestServer;
  /** Of the CA that the proxy knows: two clients. And one that nobody has signed. */
  readonly certificates: {
    readonly leaf: TestCertificate;
    readonly other: TestCertificate;
    readonly selfSigned: TestCertificate;
  };
  /** The answer of the token endpoint by way of the proxy, in short. Throws where the handshake fails. */
  answer(asked: Asked): Promise<string>;
  /** Thumbprint of the certificate that the token is bound to. */
  boundTo(asked: Asked): Promise<unknown>;
  /** The answer to who goes past the proxy. */
  past(asked: Asked): Promise<string>;
  close(): Promise<void>;
}

/** How a proxy is started: its form of the header, and the command for a place, which stays in the foreground. */
export interface FrontDoorOptions {
  readonly form: string;
  readonly command: (place: Place) => readonly [string, ...string[]];
}

/** The blocks of a page in this language, of the front doors unless another folder is named. */
export function blocksOf(
  page: string,
  language: string,
  folder = 'front-doors',
): readonly string[] {
  const content = readFileSync(join(import.meta.dirname, '../../docs', folder, page), 'utf8');
  return [...content.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))].map(
    ([, block = '']) => block,
  );
}

/** A block with this machine's addresses and files in it. Throws when the block lacks one that is to be replaced. */
export function adapted(block: string, here: readonly (readonly [string, string])[]): string {
  for (const [there] of here)
    if (!block.includes(there)) throw new Error(`The page has no ${there}`);
  // In one pass, because a replacement may contain another address: 127.0.0.1:3000 is in …:30001.
  const mine = new Map(here);
  const longestFirst = [...mine.keys()].toSorted((a, b) => b.length - a.length);
  const any = new RegExp(longestFirst.map((there) => RegExp.escape(there)).join('|'), 'g');
  return block.replace(any, (there) => mine.get(there) ?? there);
}

/** Starts a server and the proxy in front of it. */
export async function openFrontDoor({ form, command }: FrontDoorOptions): Promise<FrontDoor> {
  const folder = mkdtempSync(join(tmpdir(), `holdfast-${form}-`));
  const file = (name: string, content: string) => {
    writeFileSync(join(folder, name), content, { mode: 0o600 });
    return join(folder, name);
  };
  const now = Date.now();
  const valid = { notBefore: now - 86_400_000, notAfter: now + 86_400_000 };
  const ca = await certificate({ subject: 'CN=clients', ca: true, ...valid });
  const leaf = await certificate({ subject: 'CN=device', issuer: ca, ...valid });
  const other = await certificate({ subject: 'CN=other', issuer: ca, ...valid });
  const selfSigned = await certificate({ subject: 'CN=device', ...valid });
  const own = await certificate({
    subject: 'CN=as',
    names: [{ type: 'ip', value: '127.0.0.1' }],
    ...valid,
  });
  const env = { CLIENT_CERTIFICATE_HEADER: form, TRUSTED_PROXIES: `${proxyAddress}/32` };
  const server = await testServer({ clock: { now }, env });
  await server.admin('POST', 'resource-servers', {
    audience: 'https://mtls.example.com',
    cnf_methods_supported: ['x5t#S256'],
  });
  const bound = { tls_client_certificate_bound_access_tokens: true };
  await server.admin('POST', 'clients', {
    client_id: 'secret',
    client_secret: clientSecret,
    ...bound,
  });
  const pki = {
    token_endpoint_auth_method: 'tls_client_auth',
    tls_client_auth_subject_dn: 'CN=device',
  };
  await server.admin('POST', 'clients', { client_id: 'pki', ...pki, ...bound });
  const jwks = { keys: [{ ...selfSigned.jwk, x5c: [selfSigned.der.toString('base64')] }] };
  await server.admin('POST', 'clients', {
    client_id: 'self',
    token_endpoint_auth_method: 'self_signed_tls_client_auth',
    jwks,
    ...bound,
  });

  const port = await freePort();
  const proxy = await started(
    command({ port, upstream: server.url.replace('http://', ''), folder, own, ca, file }),
    port,
    own.pem,
  );
  const ask = async ({ by, form: more = {}, headers = {} }: Asked) => {
    const outgoing = request({
      host: '127.0.0.1',
      port,
      path: '/token',
      method: 'POST',
      ca: own.pem,
      agent: false,
      ...(by !== undefined && { cert: by.pem, key: by.keyPem }),
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    });
    outgoing.end(formBody({ ...grant, ...more }));
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    return {
      status: response.statusCode ?? 0,
      headers: response.headers,
      body: await text(response),
    };
  };
  return {
    server,
    certificates: { leaf, other, selfSigned },
    answer: async (asked) => outcomeOf(await ask(asked)),
    boundTo: async (asked) => {
      const [, claims = ''] = (
        JSON.parse((await ask(asked)).body) as { access_token: string }
      ).access_token.split('.');
      return (
        JSON.parse(Buffer.from(claims, 'base64url').toString()) as { cnf: Record<string, unknown> }
      ).cnf['x5t#S256'];
    },
    past: async ({ form: more = {}, headers = {} }) => {
      const fields = Object.entries({
        'content-type': 'application/x-www-form-urlencoded',
        ...headers,
      });
      return outcomeOf(
        await rawRequest(`${server.url}/token`, 'POST', fields, formBody({ ...grant, ...more })),
      );
    },
    async close() {
      proxy.kill('SIGTERM');
      await once(proxy, 'exit');
      await server.stop();
      rmSync(folder, { recursive: true });
    },
  };
}

/** Starts the proxy and waits until it speaks TLS. Throws what it complains of when it ends instead. */
async function started(
  [command, ...args]: readonly [string, ...string[]],
  port: number,
  ca: string,
): Promise<ChildProcess> {
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let complaints = '';
  child.stderr.on('data', (chunk: Buffer) => (complaints += chunk.toString()));
  for (;;) {
    if (child.exitCode !== null) throw new Error(`${command} ended: ${complaints}`);
    const socket = connect({ host: '127.0.0.1', port, ca });
    const spoke = Promise.race([
      once(socket, 'secureConnect').then(() => true),
      once(socket, 'close').then(() => false),
    ]);
    const reached = await spoke.catch(() => false);
    socket.destroy();
    if (reached) return child;
    await sleep(50);
  }
}

/** Every way in which a thief, who knows the public certificate of somebody else, can say that it is his. */
export function smuggled(
  victim: () => TestCertificate,
): readonly (readonly [string, () => Readonly<Record<string, string>>])[] {
  const escaped = () => encodeURIComponent(victim().pem);
  const der = () => victim().der.toString('base64');
  return [
    [
      'X-SSL-Client-Cert of nginx',
      () => ({ 'X-SSL-Client-Cert': escaped(), 'X-SSL-Client-Verify': 'SUCCESS' }),
    ],
    [
      'X-SSL-Client-Cert of HAProxy',
      () => ({ 'X-SSL-Client-Cert': der(), 'X-SSL-Client-Verify': '0' }),
    ],
    ['x_ssl_client_cert', () => ({ x_ssl_client_cert: escaped(), x_ssl_client_verify: 'SUCCESS' })],
    ['ssl_client_escaped_cert', () => ({ ssl_client_escaped_cert: escaped() })],
    ['Client-Cert', () => ({ 'Client-Cert': `:${der()}:` })],
    ['X-Forwarded-Client-Cert', () => ({ 'X-Forwarded-Client-Cert': `Cert="${escaped()}"` })],
    ['X-Amzn-Mtls-Clientcert-Leaf', () => ({ 'X-Amzn-Mtls-Clientcert-Leaf': escaped() })],
  ];
}
