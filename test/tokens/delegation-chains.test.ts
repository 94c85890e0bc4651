import { decodeJwt } from 'jose';
import { describe, expect, it } from 'vitest';
import { testKey } from '../support/keys.ts';
import { ath, openPair, pairSecret, unaware } from '../support/pair.ts';
import { type Answer, basic, startOfTime } from '../support/server.ts';

const outcome = ({ status, body }: Answer) =>
  status === 200 ? 'token' : `${status} ${body.error}`;

describe('chains of delegations', () => {
  it('nest the actors, end with the actor token of any link, and have at most seven actors', async () => {
    const pair = await openPair();
    const { server } = pair;
    const keys = await Promise.all(Array.from({ length: 10 }, async () => testKey()));
    const names = keys.map((_, index) => `link-${index}`);
    const tokenOf = async (index: number) => {
      const answer = await server.post(
        '/token',
        { grant_type: 'client_credentials', resource: unaware },
        {
          authorization: basic(names[index] ?? '', pairSecret),
          dpop: (await keys[index]?.proof()) ?? '',
        },
      );
      return answer.body.access_token as string;
    };
    for (const [index, client_id] of names.entries()) {
      await server.admin('POST', 'clients', {
        client_id,
        client_secret: pairSecret,
        scope: 'read',
        grant_types: ['client_credentials', 'urn:ietf:params:oauth:grant-type:token-exchange'],
      });
      if (index > 0)
        await server.admin('POST', 'pairings', { requester: names[index - 1], holder: client_id });
    }
    let token = await tokenOf(0);
    const actorTokens: string[] = [];
    const last: Answer[] = [];
    for (let index = 1; index < names.length; index++) {
      const [signer, actorKey] = [
        keys[index - 1] as (typeof keys)[0],
        keys[index] as (typeof keys)[0],
      ];
      const actorToken = await tokenOf(index);
      const tokenType = 'urn:ietf:params:oauth:token-type:access_token';
      const now = startOfTime / 1000;
      const answer = await server.post(
        '/token',
        {
          grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
          subject_token: token,
          subject_token_type: tokenType,
          actor_token: actorToken,
          actor_token_type: tokenType,
          subject_token_proof: await signer.sign(
            {
              aud: server.issuer,
              client_id: names[index],
              cnf: { jkt: actorKey.jkt },
              ath: ath(token),
              resource: [unaware],
              iat: now,
              exp: now + 60,
              jti: `jti-${index}`,
            },
            { typ: 'subject-token-proof+jwt', jwk: signer.jwk },
          ),
        },
        {
          authorization: basic(names[index] ?? '', pairSecret),
          dpop: await actorKey.proof({ ath: ath(actorToken) }),
        },
      );
      last.push(answer);
      if (answer.status !== 200) break;
      token = answer.body.access_token as string;
      actorTokens.push(actorToken);
    }
    expect(last.map(outcome)).toEqual([
      ...Array.from({ length: 7 }, () => 'token'),
      '400 invalid_grant',
    ]);
    const { sub, act } = decodeJwt<{ act: object }>(token);
    expect([sub, act]).toMatchObject([
      'link-0',
      { sub: 'link-7', act: { sub: 'link-6', act: { sub: 'link-5' } } },
    ]);
    const active = async () => (await pair.introspect(token, 'unaware-rs')).body.active as boolean;
    expect(await active()).toBe(true);
    await server.admin('DELETE', `tokens/${decodeJwt(actorTokens[2] ?? '').jti}`);
    expect(await active()).toBe(false);
    await server.stop();
  });
});
