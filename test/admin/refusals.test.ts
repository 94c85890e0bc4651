import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { patternInWords } from '../../src/admin/patterns.ts';
import { type TestServer, testServer } from '../support/server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await testServer();
});
afterAll(async () => server.stop());

const uri = 'an absolute URI without a fragment, such as `https://api.example.com`';
const printable = 'printable ASCII without spaces';

/** A row's detail as a pattern: a string is the whole sentence after the member. */
function detailPattern(detail: string | RegExp | undefined): RegExp {
  return typeof detail === 'string'
    ? new RegExp(`^the member ${RegExp.escape(detail)}$`)
    : (detail ?? /./);
}

describe('RFC 9457: a refusal of the admin API says what would be accepted', () => {
  it.each([
    [
      'an unknown value',
      { grant_types: ['password'] },
      'grant_types[0]',
      /must be one of: .*client_credentials/,
    ],
    [
      'a misspelt member',
      { grant_type: [] },
      'grant_type',
      'is unknown; the nearest known member is grant_types',
    ],
    [
      'a member in camel case',
      { clientName: 'x' },
      'clientName',
      'is unknown; the nearest known member is client_name',
    ],
    [
      'two letters swapped',
      { cleint_id: 'x' },
      'cleint_id',
      'is unknown; the nearest known member is client_id',
    ],
    [
      'an unknown member in an object',
      { jwks: { key: [], keys: [{}] } },
      'jwks.key',
      'is unknown; the nearest known member is keys',
    ],
    ['a member like no other', { redirect_uris: [] }, 'redirect_uris', 'is unknown'],
    ['a member with a slash', { 'a/b~c': 1 }, 'a/b~c', 'is unknown'],
    [
      'a client_id with a space',
      { client_id: 'a b' },
      'client_id',
      `must be ${printable}; it must not be \`.\` or \`..\`, and must not start with \`urn:holdfast:\``,
    ],
    [
      'a scope with two spaces',
      { scope: 'a  b' },
      'scope',
      'must be scope values with one space between them, such as `read write`',
    ],
    ['a resource without a scheme', { resources: ['api'] }, 'resources[0]', `must be ${uri}`],
    [
      'a name with a line break',
      { client_name: 'a\nb' },
      'client_name',
      'must be text without control characters',
    ],
    ['a short secret', { client_secret: 'x' }, 'client_secret', 'must have at least 32 characters'],
    [
      'a long name',
      { client_name: 'x'.repeat(201) },
      'client_name',
      'must have at most 200 characters',
    ],
    ['an empty list', { grant_types: [] }, 'grant_types', 'must have at least 1 item'],
    [
      'too many keys',
      { jwks: { keys: Array.from({ length: 21 }, () => ({})) } },
      'jwks.keys',
      'must have at most 20 items',
    ],
    [
      'a repeated item',
      { alt_cnf_holders: ['a', 'b', 'a'] },
      'alt_cnf_holders',
      'must not repeat an item: [0] and [2] are equal',
    ],
    ['another type', { disabled: 'no' }, 'disabled', 'must be a boolean'],
  ])('a client with %s', async (_, body, member, detail) => {
    const answer = await server.admin('POST', 'clients', body);
    const [error] = answer.body.errors;
    expect([answer.status, error.member]).toEqual([400, member]);
    expect(error.detail).toMatch(detailPattern(detail));
  });
  it.each([
    ['resource-servers', {}, 'audience', 'is required'],
    [
      'resource-servers',
      { audience: 'urn:a:b', access_token_lifetime: 0 },
      'access_token_lifetime',
      'must be at least 1',
    ],
    [
      'resource-servers',
      { audience: 'urn:a:b', access_token_lifetime: 700_000 },
      'access_token_lifetime',
      'must be at most 604800',
    ],
    [
      'resource-servers',
      { audience: 'urn:a:b', cnf_methods_supported: ['x5t'] },
      'cnf_methods_supported[0]',
      'must be one of: jkt, x5t#S256, jwk, kid, jku, jwe',
    ],
    ['signing-keys/rotate', { alg: 'none' }, 'alg', /must be one of: .*ES256/],
    [
      'trusted-issuers',
      { issuer: 'op', audience: 'x', jwks_uri: 'https://op.example/jwks' },
      'issuer',
      'must be an http or https URL without user, query, fragment, spaces and backslashes, or `spiffe://` and a trust domain',
    ],
    ['pairings', [], 'body', undefined],
  ])('POST %s with %j', async (path, body, member, detail) => {
    const answer = await server.admin('POST', path, body);
    const [error] = answer.body.errors;
    expect([answer.status, error.member]).toEqual([400, member]);
    expect(error.detail).toMatch(detailPattern(detail));
  });
  it.each([
    ['clients?nmae=x', 'nmae', 'is unknown; the nearest known member is name'],
    ['clients?limit=0', 'limit', 'must be a whole number from 1 to 999999999'],
    ['clients?cursor=%2B', 'cursor', 'must be the `next_cursor` of an earlier page'],
    [
      'audit-events?since=today',
      'since',
      'must be a time in the form of RFC 3339, such as 2026-01-31T12:00:00Z',
    ],
    ['audit-events?follow=yes', 'follow', 'must be one of: true'],
  ])('GET %s', async (path, member, detail) => {
    const answer = await server.admin('GET', path);
    expect([answer.status, answer.body.errors]).toEqual([
      400,
      [{ member, detail: `the member ${detail}` }],
    ]);
  });
  it('PATCH lists null beside the values that a member may have', async () => {
    await server.admin('POST', 'clients', { client_id: 'patched' });
    const { body } = await server.admin('PATCH', 'clients/patched', {
      client_assertion_audiences: 'any',
    });
    expect(body.detail).toBe('the member must be one of: issuer, endpoint, null');
  });
  it('has words for every pattern of the OpenAPI document', async () => {
    const { body } = await server.admin('GET', 'openapi.json');
    const patterns = [...JSON.stringify(body).matchAll(/"pattern":("(?:[^"\\]|\\.)*")/g)].map(
      ([, source = '']) => JSON.parse(source) as string,
    );
    expect(patterns.length).toBeGreaterThan(10);
    expect(patterns.filter((source) => patternInWords(source) === undefined)).toEqual([]);
  });
});
