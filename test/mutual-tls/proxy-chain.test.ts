import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type CertificateOptions,
  certificate,
  clientAuth,
  serverAuth,
  type TestCertificate,
} from '../support/certificates.ts';
import { startOfTime } from '../support/server.ts';
import {
  type TokenEndpointFixture,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

const forms: Readonly<Record<string, readonly [string, (leaf: TestCertificate) => string]>> = {
  rfc9440: ['client-cert', ({ der }) => `:${der.toString('base64')}:`],
  nginx: ['x-ssl-client-cert', ({ pem }) => encodeURIComponent(pem)],
  envoy: ['x-forwarded-client-cert', ({ pem }) => `Hash=abc;Cert="${encodeURIComponent(pem)}"`],
  haproxy: ['x-ssl-client-cert', ({ der }) => der.toString('base64')],
  alb: ['x-amzn-mtls-clientcert-leaf', ({ pem }) => encodeURIComponent(pem)],
};
const audience = 'https://mtls.example.com';
const folder = mkdtempSync(join(tmpdir(), 'holdfast-chain-'));
afterAll(() => rmSync(folder, { recursive: true }));
const day = 86_400_000;

let ca: TestCertificate;
let old: TestCertificate;
beforeAll(async () => {
  ca = await certificate({ subject: 'CN=clients', ca: true });
  old = await certificate({
    subject: 'CN=old',
    ca: true,
    notBefore: startOfTime - 2 * day,
    notAfter: startOfTime - day,
  });
});

interface Door {
  readonly fixture: TokenEndpointFixture;
  /** The answer to the `tls_client_auth` client, whose subject is CN=device. */
  outcome(leaf: TestCertificate, results?: readonly string[]): Promise<string>;
}

async function openDoor(form: string, env: Readonly<Record<string, string>> = {}): Promise<Door> {
  const fixture = await tokenEndpointFixture({
    env: { CLIENT_CERTIFICATE_HEADER: form, TRUSTED_PROXIES: '127.0.0.0/8, ::1/128', ...env },
  });
  await fixture.server.admin('POST', 'resource-servers', {
    audience,
    cnf_methods_supported: ['x5t#S256'],
  });
  const subject = {
    token_endpoint_auth_method: 'tls_client_auth',
    tls_client_auth_subject_dn: 'CN=device',
  };
  await fixture.server.admin('POST', 'clients', {
    client_id: 'pki',
    tls_client_certificate_bound_access_tokens: true,
    ...subject,
  });
  const [header = '', write = () => ''] = forms[form] ?? [];
  return {
    fixture,
    outcome: async (leaf, results = []) =>
      fixture.outcome({
        authorization: null,
        dpop: null,
        form: { grant_type: 'client_credentials', resource: audience, client_id: 'pki' },
        fields: [
          [header, write(leaf)] as const,
          ...results.map((result) => ['x-ssl-client-verify', result] as const),
        ],
      }),
  };
}

const [good, bad] = ['200 x5t#S256', '401 invalid_client'];
const methodsOf = async ({ server }: TokenEndpointFixture) =>
  (await server.get('/.well-known/oauth-authorization-server')).body
    .token_endpoint_auth_methods_supported as string[];

describe('RFC 8705 §2.1: whose word counts for the chain, without TLS_CLIENT_CA_FILE', () => {
  /** Values of X-SSL-Client-Verify, and the forms in which the certificate then authenticates by its name. */
  const rows: readonly (readonly [readonly string[], readonly string[]])[] = [
    [[], ['rfc9440', 'alb']],
    [['SUCCESS'], ['rfc9440', 'nginx', 'alb']],
    [['0'], ['haproxy', 'alb']],
    [['10'], ['alb']],
    [['FAILED:self-signed'], ['alb']],
    [['NONE'], ['alb']],
    [[''], ['alb']],
    [['0', '0'], ['alb']],
    [['SUCCESS', 'SUCCESS'], ['alb']],
    [['0', '18'], ['alb']],
  ];
  it.each(Object.keys(forms))('%s', async (form) => {
    const door = await openDoor(form);
    const leaf = await certificate({ subject: 'CN=device', issuer: ca });
    const outcomes = await Promise.all(
      rows.map(async ([results]) => [results, await door.outcome(leaf, results)]),
    );
    const offered = (await methodsOf(door.fixture)).includes('tls_client_auth');
    await door.fixture.server.stop();
    expect(outcomes).toEqual(
      rows.map(([results, believing]) => [results, believing.includes(form) ? good : bad]),
    );
    expect(offered).toBe(form !== 'envoy');
  });
});

describe.each(Object.keys(forms))(
  'RFC 8705 §2.1: with TLS_CLIENT_CA_FILE the chain is checked here, %s',
  (form) => {
    let door: Door;
    beforeAll(async () => {
      const anchors = join(folder, `${form}.pem`);
      writeFileSync(anchors, ca.pem + old.pem);
      door = await openDoor(form, { TLS_CLIENT_CA_FILE: anchors });
    });
    afterAll(async () => door.fixture.server.stop());
    it.each<[string, () => CertificateOptions, string]>([
      ['by an anchor', () => ({ issuer: ca }), good],
      ['by an anchor, for clients', () => ({ issuer: ca, usages: [clientAuth] }), good],
      [
        'by an anchor, for servers only (RFC 5280 §4.2.1.12)',
        () => ({ issuer: ca, usages: [serverAuth] }),
        bad,
      ],
      ['by an anchor whose time is over', () => ({ issuer: old }), bad],
      ['self-signed', () => ({}), bad],
    ])('%s', async (_, options, expected) => {
      const leaf = await certificate({ subject: 'CN=device', ...options() });
      for (const results of [[], ['0'], ['SUCCESS']])
        expect(await door.outcome(leaf, results)).toBe(expected);
    });
    it('by who only has the name of an anchor', async () => {
      const impostor = await certificate({ subject: 'CN=clients', ca: true });
      expect(
        await door.outcome(await certificate({ subject: 'CN=device', issuer: impostor })),
      ).toBe(bad);
    });
    it('the metadata offer the method', async () => {
      expect(await methodsOf(door.fixture)).toContain('tls_client_auth');
    });
  },
);
