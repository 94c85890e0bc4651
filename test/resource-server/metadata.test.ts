import { createServer } from 'node:http';
import express from 'express';
import fastify from 'fastify';
import { describe, expect, it } from 'vitest';
import { resourceMetadata as onExpress } from '../../packages/resource-server/src/express.ts';
import { resourceMetadata as onFastify } from '../../packages/resource-server/src/fastify.ts';
import {
  type ResourceServer,
  type ResourceServerOptions,
  resourceServer,
} from '../../packages/resource-server/src/resource-server.ts';
import { listening } from '../support/resource-server.ts';

const wellKnown = '/.well-known/oauth-protected-resource';
const [issuer, audience] = ['https://as.example.com', 'https://api.example.com'];
const checker = (more: Partial<ResourceServerOptions> = {}) =>
  resourceServer({ issuer, audience, metadata: {}, dpopAlgs: ['ES256'], ...more });

/** Serves the metadata of all of these, and nothing else. */
async function serve(framework: 'Fastify' | 'Express', checkers: readonly ResourceServer[]) {
  if (framework === 'Fastify') {
    const app = fastify();
    for (const one of checkers) app.register(onFastify(one));
    return {
      url: await app.listen({ host: '127.0.0.1', port: 0 }),
      close: async () => app.close(),
    };
  }
  const app = express();
  for (const one of checkers) app.use(onExpress(one));
  const { port, close } = await listening(createServer(app));
  return { url: `http://127.0.0.1:${port}`, close };
}

describe('RFC 9728 §3.1: the well-known path is inserted before the path of the resource', () => {
  it.each([
    ['https://api.example.com', 'https://api.example.com', ''],
    ['https://api.example.com/', 'https://api.example.com', ''],
    ['https://api.example.com:8443/reports', 'https://api.example.com:8443', '/reports'],
    ['https://api.example.com/reports/', 'https://api.example.com', '/reports/'],
    ['https://api.example.com/a:b?v=1', 'https://api.example.com', '/a:b?v=1'],
    ['https://api.example.com/caf%C3%A9', 'https://api.example.com', '/caf%C3%A9'],
  ])('of %s', async (resource, origin, path) => {
    const verify = checker({ audience: resource });
    expect(verify.metadata?.url).toBe(`${origin}${wellKnown}${path}`);
    for (const framework of ['Fastify', 'Express'] as const) {
      const { url, close } = await serve(framework, [verify]);
      const answer = await fetch(`${url}${wellKnown}${path}`);
      expect([framework, answer.status, await answer.json()]).toMatchObject([
        framework,
        200,
        { resource },
      ]);
      for (const other of [`${wellKnown}${path}x`, `${wellKnown}${path}?x`, '/'])
        expect((await fetch(url + other)).status).toBe(404);
      expect((await fetch(`${url}${wellKnown}${path}`, { method: 'POST' })).status).toBe(404);
      await close();
    }
  });

  it.each(['Fastify', 'Express'] as const)('two resources of one %s host', async (framework) => {
    const resources = [audience, `${audience}/reports`];
    const { url, close } = await serve(
      framework,
      resources.map((one) => checker({ audience: one })),
    );
    for (const [index, path] of ['', '/reports'].entries()) {
      const answer = await fetch(`${url}${wellKnown}${path}`);
      expect(await answer.json()).toMatchObject({ resource: resources[index] });
      const fields = ['content-type', 'access-control-allow-origin', 'cache-control'];
      expect(fields.map((name) => answer.headers.get(name))).toEqual([
        expect.stringMatching(/^application\/json/),
        '*',
        'public, max-age=300',
      ]);
    }
    await close();
  });

  it.each([
    'urn:example:api',
    'api.example.com',
    'https://api.example.com/#part',
    'https://api.example.com/?a="b"',
    'https://api.example.com/?a=\\',
  ])('an audience that has no such place, %s, is refused at the start', (resource) => {
    expect(() => checker({ audience: resource })).toThrow('metadata needs an audience');
  });

  it('is not served by who did not ask for it', () => {
    const verify = resourceServer({ issuer, audience });
    expect(verify.metadata).toBeUndefined();
    expect(() => onFastify(verify)).toThrow('without `metadata`');
    expect(() => onExpress(verify)).toThrow('without `metadata`');
  });
});

describe('RFC 9728 §2: the document says what is checked', () => {
  const certificates = { tls_client_certificate_bound_access_tokens: true };
  const dpop = { dpop_signing_alg_values_supported: ['ES256'] };
  it.each<[string, Partial<ResourceServerOptions>, object]>([
    ['all methods', {}, { bearer_methods_supported: ['header'], ...certificates, ...dpop }],
    [
      'DPoP alone',
      { confirmationMethods: ['jkt', 'jwk'] },
      { bearer_methods_supported: [], ...dpop, dpop_bound_access_tokens_required: true },
    ],
    [
      'certificates alone',
      { confirmationMethods: ['x5t#S256'] },
      { bearer_methods_supported: ['header'], ...certificates },
    ],
    [
      'more members',
      { confirmationMethods: ['jkt'], metadata: { scopes_supported: ['read'] } },
      {
        scopes_supported: ['read'],
        bearer_methods_supported: [],
        ...dpop,
        dpop_bound_access_tokens_required: true,
      },
    ],
  ])('%s', (_, options, members) => {
    const { document } = checker(options).metadata ?? {};
    const both = { resource: audience, authorization_servers: [issuer] };
    expect(document).toEqual({ ...both, ...members });
  });

  it('names every trusted issuer', () => {
    const { metadata } = checker({ issuer: [issuer, { issuer: 'https://b.example' }] });
    const both = [issuer, 'https://b.example'];
    expect(metadata?.document['authorization_servers']).toEqual(both);
  });
});

describe('RFC 9728 §5.1: resource_metadata in challenges', () => {
  const url = `${audience}${wellKnown}`;
  const challengesOf = async (verify: ResourceServer, authorization?: string) => {
    const headers = new Headers(authorization === undefined ? {} : { authorization });
    const refused = await verify({ method: 'GET', url: audience, headers }).catch((error) => error);
    return refused.challenges as readonly string[];
  };
  it('stands in the challenge of each scheme, with an error or without', async () => {
    expect(await challengesOf(checker())).toEqual([
      `DPoP algs="ES256", resource_metadata="${url}"`,
      `Bearer resource_metadata="${url}"`,
    ]);
    for (const challenge of await challengesOf(checker(), 'Bearer x'))
      expect(challenge).toMatch(
        /^(DPoP|Bearer) error="invalid_token", .*resource_metadata="https:[^"]+"$/,
      );
  });
  it('does not stand there without metadata', async () => {
    const verify = resourceServer({ issuer, audience, dpopAlgs: ['ES256'] });
    expect(await challengesOf(verify)).toEqual(['DPoP algs="ES256"', 'Bearer']);
  });
});
