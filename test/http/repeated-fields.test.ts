import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GatewayFixture, gatewayFixture, gatewayForms } from '../support/gateway.ts';
import { rawRequest } from '../support/raw-request.ts';
import { adminToken, basic } from '../support/server.ts';
import { clientSecret } from '../support/token-endpoint-fixture.ts';

const form = 'application/x-www-form-urlencoded';
const json = 'application/json';
const problem = 'application/problem+json';

let fixture: GatewayFixture;
let token: string;
beforeAll(async () => {
  fixture = await gatewayFixture();
  token = await fixture.token();
});
afterAll(async () => fixture.server.stop());

const contentTypes = (...values: readonly string[]) =>
  values.map((value) => ['content-type', value] as const);

/** Pairs of which Node's `headers` has the first alone, and the one field that joins them. */
const repeated: readonly (readonly [string, readonly string[]])[] = [
  ['the right one first', [form, json]],
  ['the right one last', [json, form]],
  ['the same twice', [form, form]],
  ['an empty one', [form, '']],
  ['both in one field', [`${form}, ${json}`]],
];

describe('RFC 9110 §5.3, §8.3: one Content-Type, at every endpoint with a form', () => {
  const paths = {
    '/token': () => 'grant_type=client_credentials',
    '/introspect': () => `token=${token}`,
    '/revoke': () => 'token=x',
  };
  const post = async (path: keyof typeof paths, types: readonly string[]) => {
    const fields = [
      ['authorization', basic('app', clientSecret)] as const,
      ['dpop', await fixture.key.proof()] as const,
    ];
    const url = fixture.server.url + path;
    return rawRequest(url, 'POST', [...fields, ...contentTypes(...types)], paths[path]());
  };

  describe.each(Object.keys(paths) as (keyof typeof paths)[])('%s', (path) => {
    it.each(repeated)('%s: refused', async (_, types) => {
      const { status, body } = await post(path, types);
      expect([status, JSON.parse(body)]).toEqual([
        400,
        { error: 'invalid_request', error_description: expect.any(String) },
      ]);
    });
  });

  it('once: a token', async () => {
    expect((await post('/token', [form])).status).toBe(200);
  });
});

describe('RFC 9110 §5.3, §8.3: one Content-Type, at the other listeners', () => {
  const register = async (...types: readonly string[]) =>
    rawRequest(
      `${fixture.server.adminUrl}/admin/clients`,
      'POST',
      [['authorization', `Bearer ${adminToken}`], ...contentTypes(...types)],
      JSON.stringify({ client_id: `client-${types.length}` }),
    );

  it.each([
    ['the right one first', [json, form]],
    ['the right one last', [form, json]],
    ['the same twice', [json, json]],
  ])('of the admin API, %s: refused', async (_, types) => {
    const { status, headers } = await register(...types);
    expect([status, headers['content-type']]).toEqual([400, expect.stringContaining(problem)]);
  });
  it('of the admin API, once: registered', async () => {
    expect((await register(json)).status).toBe(201);
  });

  it.each(gatewayForms)('for gateways, by /%s: refused', async (of) => {
    const fields = contentTypes(json, form);
    expect([
      await fixture.outcome({ form: of, fields }),
      await fixture.outcome({ form: of, fields: fields.slice(1) }),
    ]).toEqual(['401 request_malformed', '200 app']);
  });
});

describe('fields that Node joins', () => {
  it.each([
    ['Content-Encoding', ['identity', 'gzip']],
    ['Content-Encoding', ['gzip', 'identity']],
    ['Transfer-Encoding', ['chunked', 'chunked']],
  ] as const)('%s: %o is refused', async (name, values) => {
    const fields = [
      ['content-type', form] as const,
      ...values.map((value) => [name, value] as const),
    ];
    const { status } = await rawRequest(`${fixture.server.url}/token`, 'POST', fields, 'a=b');
    expect(status).toBe(400);
  });
});
