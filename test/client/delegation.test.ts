import { decodeJwt, decodeProtectedHeader } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createHolder,
  type DelegationRequest,
  type Holder,
} from '../../packages/client/src/client.ts';
import { type Api, openApi } from '../support/api.ts';
import { type LiveServer, liveServer } from '../support/live-server.ts';

const clientSecret = 's'.repeat(32);

describe('delegation by @holdfast/client', () => {
  let server: LiveServer;
  let api: Api;
  let app: Holder;
  let agent: Holder;
  beforeAll(async () => {
    server = await liveServer({ DPOP_NONCE: 'required' });
    api = await openApi(server.issuer);
    const resource = api.origin;
    await server.admin('POST', 'resource-servers', { audience: resource, scopes: ['read'] });
    const { issuer } = server;
    const holder = async (clientId: string) => {
      await server.admin('POST', 'clients', {
        client_id: clientId,
        client_secret: clientSecret,
        scope: 'read',
        grant_types: ['client_credentials', 'urn:ietf:params:oauth:grant-type:token-exchange'],
      });
      return createHolder({ issuer, clientId, clientSecret, key: 'memory', resource });
    };
    app = await holder('app');
    agent = await holder('agent');
    await server.admin('POST', 'pairings', { requester: 'app', holder: 'agent' });
  });
  afterAll(async () => {
    await Promise.all([api.close(), server.stop()]);
  });

  it.each([
    { how: 'a holder in the same process', of: () => app },
    {
      how: 'a function that asks one elsewhere',
      of: () => async (request: DelegationRequest) =>
        // What goes over the wire between app and agent.
        app.proveDelegation(JSON.parse(JSON.stringify(request)) as DelegationRequest),
    },
  ])('$how lets the agent act with its own key', async ({ of }) => {
    const acting = agent.actFor(of(), { resource: api.origin });
    const answer = await acting.fetch(`${api.origin}/events`);
    expect(await answer.json()).toMatchObject({ presenter: 'agent' });
    expect(decodeJwt((await acting.token()).accessToken)).toMatchObject({
      sub: 'app',
      client_id: 'agent',
      cnf: { jkt: agent.thumbprint },
      act: { client_id: 'agent', sub: 'agent' },
    });
  });
  it('the proof names the actor, its key, the token and the resource, and lives for 120 seconds', async () => {
    const { subjectToken, subjectTokenProof } = await app.proveDelegation({
      ...agent,
      resource: api.origin,
    });
    expect(subjectToken).toBe((await app.token()).accessToken);
    expect(decodeProtectedHeader(subjectTokenProof)).toMatchObject({
      typ: 'subject-token-proof+jwt',
      jwk: { kty: 'EC' },
    });
    const { iat = 0, exp = 0, ...claims } = decodeJwt(subjectTokenProof);
    expect(exp - iat).toBe(120);
    expect(claims).toEqual({
      aud: server.issuer,
      client_id: 'agent',
      cnf: { jkt: agent.thumbprint },
      ath: expect.stringMatching(/^[\w-]{43}$/),
      resource: api.origin,
      jti: expect.any(String),
    });
  });
  it('a proof for another key is refused, and one without an actor or resource is not made', async () => {
    const forApp = async (request: DelegationRequest) =>
      app.proveDelegation({ ...request, thumbprint: app.thumbprint });
    await expect(agent.actFor(forApp).token()).rejects.toMatchObject({
      code: 'token_refused',
      error: 'failed_pop_verification',
    });
    for (const request of [{ clientId: 'agent', resource: api.origin }, { ...agent }])
      await expect(app.proveDelegation(request)).rejects.toMatchObject({ code: 'invalid_options' });
  });
});
