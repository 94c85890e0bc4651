import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { certificate, type TestCertificate } from '../support/certificates.ts';
import {
  type TokenEndpointFixture,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

type Form = 'rfc9440' | 'nginx' | 'haproxy' | 'envoy' | 'alb';
const forms: Readonly<Record<Form, readonly [string, (leaf: TestCertificate) => string]>> = {
  rfc9440: ['client-cert', ({ der }) => `:${der.toString('base64')}:`],
  nginx: ['x-ssl-client-cert', ({ pem }) => encodeURIComponent(pem)],
  haproxy: ['x-ssl-client-cert', ({ der }) => der.toString('base64')],
  envoy: ['x-forwarded-client-cert', ({ pem }) => `Hash=abc;Cert="${encodeURIComponent(pem)}"`],
  alb: ['x-amzn-mtls-clientcert-leaf', ({ pem }) => encodeURIComponent(pem)],
};
const audience = 'https://mtls.example.com';
const folder = mkdtempSync(join(tmpdir(), 'holdfast-contradicted-'));
afterAll(() => rmSync(folder, { recursive: true }));

let leaf: TestCertificate;
let anchors: string;
beforeAll(async () => {
  leaf = await certificate();
  anchors = join(folder, 'anchors.pem');
  writeFileSync(anchors, (await certificate({ subject: 'CN=clients', ca: true })).pem);
});

/** A server behind a proxy, with a client that authenticates by its self-signed certificate. */
async function open(form: Form, env: Readonly<Record<string, string>> = {}) {
  const fixture = await tokenEndpointFixture({
    env: { CLIENT_CERTIFICATE_HEADER: form, TRUSTED_PROXIES: '127.0.0.1/32', ...env },
  });
  await fixture.server.admin('POST', 'resource-servers', {
    audience,
    cnf_methods_supported: ['x5t#S256'],
  });
  await fixture.server.admin('POST', 'clients', {
    client_id: 'self',
    token_endpoint_auth_method: 'self_signed_tls_client_auth',
    tls_client_certificate_bound_access_tokens: true,
    jwks: { keys: [{ ...leaf.jwk, x5c: [leaf.der.toString('base64')] }] },
  });
  return fixture;
}

/** The answer, and the reason in the log of a refusal. */
async function ask(
  { server, outcome }: TokenEndpointFixture,
  form: Form,
  results: readonly string[],
  value = forms[form][1](leaf),
) {
  const answer = await outcome({
    authorization: null,
    dpop: null,
    form: { grant_type: 'client_credentials', resource: audience, client_id: 'self' },
    fields: [
      [forms[form][0], value] as const,
      ...results.map((result) => ['X-SSL-Client-Verify', result] as const),
    ],
  });
  if (answer.startsWith('200')) return answer;
  return `${answer} ${String(server.logs.findLast(({ reason }) => reason !== undefined)?.['reason'])}`;
}

const good = '200 x5t#S256';
const conflict = '401 invalid_client certificate_header_conflict';

describe.each(['rfc9440', 'nginx', 'haproxy'] as const)(
  'a certificate beside what the proxy says of it in X-SSL-Client-Verify, %s',
  (form) => {
    let fixture: TokenEndpointFixture;
    beforeAll(async () => {
      fixture = await open(form);
    });
    afterAll(async () => fixture.server.stop());

    it.each([
      ['NONE: the handshake had none', ['NONE']],
      ['none, in lower case', ['none']],
      ['NONE, then the client’s own', ['NONE', 'SUCCESS']],
      ['the client’s own, then NONE', ['SUCCESS', 'NONE']],
      ['both, joined on the way', ['SUCCESS, NONE']],
      ['two results', ['FAILED:self-signed', 'SUCCESS']],
    ])('%s: refused', async (_, results) => {
      expect(await ask(fixture, form, results)).toBe(conflict);
    });
    it.each([
      ['nothing', []],
      ['SUCCESS', ['SUCCESS']],
      ['a chain that the proxy could not verify', ['FAILED:self-signed certificate']],
      ['a reason with a comma', ['FAILED:not allowed, please set the flag']],
      ['a number', ['18']],
      ['an empty result', ['']],
    ])(
      '%s: a self-signed certificate counts, for nobody verifies its chain',
      async (_, results) => {
        expect(await ask(fixture, form, results)).toBe(good);
      },
    );
    it('NONE beside an empty field: no certificate', async () => {
      expect(await ask(fixture, form, ['NONE'], '')).toMatch(/^401 invalid_client (?!.*_header_)/);
    });
    it('NONE counts with TLS_CLIENT_CA_FILE, too', async () => {
      const checking = await open(form, { TLS_CLIENT_CA_FILE: anchors });
      const outcomes = [
        await ask(checking, form, ['NONE']),
        await ask(checking, form, ['FAILED:self-signed certificate']),
      ];
      await checking.server.stop();
      expect(outcomes).toEqual([conflict, good]);
    });
  },
);

describe.each(['envoy', 'alb'] as const)('%s, whose form has no such field', (form) => {
  it('does not look at one that the client sent', async () => {
    const fixture = await open(form);
    const outcome = await ask(fixture, form, ['NONE']);
    await fixture.server.stop();
    expect(outcome).toBe(good);
  });
});
