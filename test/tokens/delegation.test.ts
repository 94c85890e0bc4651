import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Delegation, delegation } from '../support/delegation.ts';
import { ath, aware, openPair, type Pair, pairSecret, unaware } from '../support/pair.ts';
import { type Answer, basic } from '../support/server.ts';
import { stateAt } from '../support/status-list.ts';
import { storeKinds } from '../support/stores.ts';

const listed = 'https://listed.example.com';
const outcome = ({ status, body }: Answer) =>
  status === 200 ? 'token' : `${status} ${body.error}`;

describe.each(storeKinds)('delegation with two proofs, on $name', (kind) => {
  let pair: Pair;
  let made: Delegation;
  beforeAll(async () => {
    pair = await openPair({ kind, env: { STATUS_LIST_MAX_AGE: '120' } });
    await pair.server.admin('POST', 'resource-servers', {
      audience: listed,
      scopes: ['read'],
      status_list_enabled: true,
    });
    // Two proofs need no listing, which is what lets the backend exchange without the app.
    await pair.server.admin('PATCH', 'clients/app', { alt_cnf_holders: ['printer'] });
    made = await delegation(pair);
  });
  afterAll(async () => pair.server.stop());
  const reason = () =>
    pair.server.logs.findLast(({ reason: why }) => why !== undefined)?.['reason'];
  const active = async ({ body }: Answer, recipient = 'unaware-rs') =>
    (await pair.introspect(body.access_token as string, recipient)).body.active as boolean;

  it('RFC 8693 §4.1: the token is for the subject, bound to the key of the actor, which act names', async () => {
    const answer = await made.ask();
    expect(answer.body).toMatchObject({
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      token_type: 'DPoP',
    });
    const claims = decodeJwt(answer.body.access_token as string);
    expect(claims).toMatchObject({
      sub: 'app',
      client_id: 'backend',
      aud: unaware,
      cnf: { jkt: pair.backendKey.jkt },
      act: { client_id: 'backend', sub: 'backend' },
    });
    expect(claims['may_act']).toBeUndefined();
    expect(await active(answer)).toBe(true);
  });
  it('the audit trail has both thumbprints and both source tokens', async () => {
    const { jti } = decodeJwt((await made.ask()).body.access_token as string);
    const { body } = await pair.server.admin('GET', `audit-events?jti=${jti}`);
    expect(body.items[0]).toMatchObject({
      jkt: pair.backendKey.jkt,
      source: decodeJwt(made.subjectToken).jti,
      actor_source: decodeJwt(made.actorToken).jti,
      detail: { subject_jkt: pair.appKey.jkt },
    });
  });
  it('without the proof of the app the same exchange is refused: nobody listed the backend', async () => {
    const { subjectToken } = made;
    expect(outcome(await pair.backendExchanges(subjectToken))).toBe('400 invalid_grant');
  });

  it('a proof counts once, with whatever DPoP proof, and in parallel', async () => {
    const subject_token_proof = await made.proof();
    const answers = await Promise.all(
      Array.from({ length: 20 }, async () => made.ask({ form: { subject_token_proof } })),
    );
    expect(answers.map(outcome).sort()).toEqual([
      ...Array.from({ length: 19 }, () => '400 failed_pop_verification'),
      'token',
    ]);
    expect(reason()).toBe('subject_proof_replayed');
  });
  it('a pairing limits it, in scope and resource; without one there is none', async () => {
    const { subjectToken } = made;
    const other = await pair.server.admin('POST', 'pairings', {
      requester: 'thief',
      holder: 'backend',
      mode: 'proof',
      scope: 'read',
      resources: [unaware],
    });
    const token = (
      await pair.ask({
        client: 'thief',
        key: pair.thiefKey,
        form: { resource: unaware, req_alt_cnf: undefined },
      })
    ).body.access_token as string;
    const limited = await delegation(pair, token);
    const by = { signer: pair.thiefKey };
    expect(outcome(await limited.ask({ ...by, form: { scope: 'read' } }))).toBe('token');
    expect([outcome(await limited.ask({ ...by, form: { scope: 'write' } })), reason()]).toEqual([
      '400 invalid_grant',
      'exchange_scope_not_covered',
    ]);
    const there = { ...by, claims: { resource: aware }, form: { scope: 'read', resource: aware } };
    expect([outcome(await limited.ask(there)), reason()]).toEqual([
      '400 invalid_grant',
      'exchange_scope_not_covered',
    ]);
    await pair.server.admin('DELETE', `pairings/${other.body.id}`);
    expect([outcome(await limited.ask({ ...by, form: { scope: 'read' } })), reason()]).toEqual([
      '400 invalid_grant',
      'delegation_not_permitted',
    ]);
    expect(outcome(await (await delegation(pair, subjectToken)).ask())).toBe('token');
  });
  it('lives no longer than either token', async () => {
    const start = pair.server.clock.now;
    const first = await delegation(pair);
    pair.server.clock.now += 100_000;
    const second = await delegation(pair);
    for (const [subjectToken, actorToken] of [
      [first.subjectToken, second.actorToken],
      [second.subjectToken, first.actorToken],
    ] as const) {
      const mixed = await delegation(pair, subjectToken);
      const answer = await mixed.ask({
        form: { actor_token: actorToken },
        dpop: { ath: ath(actorToken) },
      });
      expect(decodeJwt(answer.body.access_token as string).exp).toBe(
        decodeJwt(first.actorToken).exp,
      );
    }
    pair.server.clock.now = start;
  });
  it('an actor exchanges the token by itself with its key, and no other client does', async () => {
    const token = (await made.ask()).body.access_token as string;
    const proof = { ath: ath(token) };
    expect(
      outcome(await pair.backendExchanges(token, { scope: 'read' }, pair.backendKey, proof)),
    ).toBe('token');
    expect(
      outcome(await pair.backendExchanges(token, { scope: 'read' }, pair.thiefKey, proof)),
    ).toBe('400 invalid_grant');
  });
  it('a token that came of an exchange is no actor token', async () => {
    const token = (await made.ask()).body.access_token as string;
    const asked = await made.ask({ form: { actor_token: token }, dpop: { ath: ath(token) } });
    expect([outcome(asked), reason()]).toEqual(['400 invalid_request', 'actor_token_exchanged']);
  });
  it('a client does not act for itself', async () => {
    const own = await delegation(pair, made.actorToken);
    expect([outcome(await own.ask({ signer: pair.backendKey })), reason()]).toEqual([
      '400 invalid_request',
      'actor_is_subject',
    ]);
  });

  it.each<[string, (made: Delegation) => Promise<unknown>]>([
    [
      'the subject token is revoked',
      async ({ subjectToken }) =>
        pair.server.post(
          '/revoke',
          { token: subjectToken },
          { authorization: basic('app', pairSecret) },
        ),
    ],
    [
      'the actor token is revoked',
      async ({ actorToken }) => pair.server.admin('DELETE', `tokens/${decodeJwt(actorToken).jti}`),
    ],
    [
      'all tokens of the actor are revoked',
      async () => pair.server.admin('DELETE', 'clients/backend/tokens'),
    ],
  ])('what is derived ends when %s, and so does what came of it', async (_, end) => {
    const fresh = await delegation(pair);
    const derived = await fresh.ask();
    const token = derived.body.access_token as string;
    const next = await pair.backendExchanges(token, { scope: 'read' }, pair.backendKey, {
      ath: ath(token),
    });
    expect([await active(derived), await active(next)]).toEqual([true, true]);
    await end(fresh);
    expect([await active(derived), await active(next)]).toEqual([false, false]);
    expect(outcome(await fresh.ask())).toBe('400 invalid_request');
  });
  it('a status list shows that the actor token is revoked', async () => {
    const fresh = await delegation(pair, undefined, listed);
    const token = (await fresh.ask({ form: { resource: listed } })).body.access_token as string;
    await pair.server.admin('DELETE', `tokens/${decodeJwt(fresh.actorToken).jti}`);
    pair.server.clock.now += 6000;
    expect(await stateAt(pair.server, token)).toBe('invalid');
    pair.server.clock.now -= 6000;
  });
  it('what is derived ends with the pairing, and while either client is disabled', async () => {
    const derived = await (await delegation(pair)).ask();
    for (const client of ['app', 'backend']) {
      await pair.server.admin('PATCH', `clients/${client}`, { disabled: true });
      expect(await active(derived)).toBe(false);
      await pair.server.admin('PATCH', `clients/${client}`, { disabled: false });
      expect(await active(derived)).toBe(true);
    }
    await pair.server.admin('DELETE', `pairings/${pair.pairing}`);
    expect(await active(derived)).toBe(false);
    await pair.server.admin('POST', 'pairings', {
      requester: 'app',
      holder: 'backend',
      mode: 'proof',
    });
    expect(await active(derived)).toBe(false);
  });
});
