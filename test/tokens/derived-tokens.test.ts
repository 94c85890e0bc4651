import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testKey } from '../support/keys.ts';
import { ath, aware, exchangeForm, keysOf, pairSecret, unaware } from '../support/pair.ts';
import { type Answer, basic, type TestServer, testServer } from '../support/server.ts';
import { stateAt } from '../support/status-list.ts';
import { storeKinds, type TestStore } from '../support/stores.ts';

const listed = 'https://listed.example.com';
const grant_types = [
  'client_credentials',
  'urn:ietf:params:oauth:grant-type:token-exchange',
] as const;

/** An owner and those who act for it, each with a name of its own, on the one server of the file. */
interface Cast {
  readonly owner: string;
  readonly actor: string;
  readonly pairing: string;
  /** Of the owner: for the resource server that does not know `alt_cnf`. */
  subject(): Promise<string>;
  /** By exchange, with the client's own key. */
  exchange(token: string, client?: string, form?: Record<string, string>): Promise<Answer>;
}

describe.each(storeKinds.filter(({ name }) => !name.includes('Redis')))(
  'authority does not outlive its source, on $name',
  (kind) => {
    let store: TestStore;
    let server: TestServer;
    let replica: TestServer;
    let key: Awaited<ReturnType<typeof testKey>>;
    let casts = 0;
    beforeAll(async () => {
      store = await kind.make();
      const env = { STATUS_LIST_MAX_AGE: '120' };
      server = await testServer({ store, env });
      replica = await testServer({ store, env, clock: server.clock });
      key = await testKey();
      for (const [audience, more] of [
        [aware, { alt_cnf_supported: true }],
        [unaware, {}],
        [listed, { status_list_enabled: true }],
      ] as const)
        await server.admin('POST', 'resource-servers', {
          audience,
          scopes: ['read'],
          client_id: `${new URL(audience).hostname}-rs`,
          client_secret: pairSecret,
          ...more,
        });
    });
    afterAll(async () => {
      await replica.stop();
      await server.stop();
      await store.remove();
    });

    const now = () => Math.floor(server.clock.now / 1000);
    const register = async (client_id: string, more: object = {}) => {
      const made = await server.admin('POST', 'clients', {
        client_id,
        client_secret: pairSecret,
        scope: 'read',
        grant_types,
        ...more,
      });
      expect(made.status).toBe(201);
    };
    const pairUp = async (requester: string, holder: string): Promise<string> => {
      const made = await server.admin('POST', 'pairings', { requester, holder });
      expect(made.status).toBe(201);
      return made.body.id as string;
    };
    const cast = async (): Promise<Cast> => {
      casts++;
      const [owner, actor] = [`owner-${casts}`, `actor-${casts}`];
      await register(owner, { alt_cnf_holders: [actor] });
      await register(actor);
      return {
        owner,
        actor,
        pairing: await pairUp(owner, actor),
        subject: async () => tokenOf(owner),
        exchange: async (token, client = actor, form = {}) =>
          server.post(
            '/token',
            { ...exchangeForm(token), ...form },
            {
              authorization: basic(client, pairSecret),
              dpop: await key.proof({ iat: now(), ath: ath(token) }),
            },
          ),
      };
    };
    const tokenOf = async (client: string, form: Record<string, string> = {}) => {
      const answer = await server.post(
        '/token',
        { grant_type: 'client_credentials', resource: unaware, ...form },
        {
          authorization: basic(client, pairSecret),
          dpop: await key.proof({ iat: now() }),
        },
      );
      expect(answer.body).toMatchObject({ access_token: expect.any(String) });
      return answer.body.access_token as string;
    };
    const tokenIn = ({ body }: Answer) => body.access_token as string;
    const active = async (token: string) => {
      const caller = `${new URL(decodeJwt(token).aud as string).hostname}-rs`;
      const authorization = basic(caller, pairSecret);
      return (await replica.post('/introspect', { token }, { authorization })).body
        .active as boolean;
    };
    const published = async (token: string) => {
      server.clock.now += 6000;
      return stateAt(replica, token);
    };

    it.each<[string, (who: Cast, subject: string) => Promise<unknown>]>([
      [
        'the owner gives the subject token back (RFC 7009)',
        async ({ owner }, token) =>
          server.post('/revoke', { token }, { authorization: basic(owner, pairSecret) }),
      ],
      [
        'the operator revokes the subject token by jti',
        async (_, token) => server.admin('DELETE', `tokens/${decodeJwt(token).jti}`),
      ],
      [
        "the operator revokes all of the owner's tokens",
        async ({ owner }) => server.admin('DELETE', `clients/${owner}/tokens`),
      ],
      [
        'the operator disables the owner',
        async ({ owner }) => server.admin('PATCH', `clients/${owner}`, { disabled: true }),
      ],
      [
        'the operator deletes the owner',
        async ({ owner }) => server.admin('DELETE', `clients/${owner}`),
      ],
      [
        'the operator revokes the pairing',
        async ({ pairing }) => server.admin('DELETE', `pairings/${pairing}`),
      ],
      [
        'the owner lists the actor no more',
        async ({ owner }) => server.admin('PATCH', `clients/${owner}`, { alt_cnf_holders: [] }),
      ],
      [
        'the owner lists nobody any more',
        async ({ owner }) => server.admin('PATCH', `clients/${owner}`, { alt_cnf_holders: null }),
      ],
    ])(
      '%s: what came of it, through a chain of exchanges, is inactive, not exchanged further, and invalid on the status list',
      async (_, withdraw) => {
        const who = await cast();
        const subject = await who.subject();
        const first = tokenIn(await who.exchange(subject));
        const second = tokenIn(await who.exchange(first));
        const last = tokenIn(await who.exchange(second, who.actor, { resource: listed }));
        const other = await tokenOf(who.actor, { resource: listed });
        expect(await Promise.all([first, second, last, other].map(active))).toEqual([
          true,
          true,
          true,
          true,
        ]);
        expect([await published(last), await published(other)]).toEqual(['valid', 'valid']);
        expect((await withdraw(who, subject)) as Answer).toMatchObject({
          status: expect.toSatisfy((status: number) => status < 300),
        });
        expect(await Promise.all([first, second, last, other].map(active))).toEqual([
          false,
          false,
          false,
          true,
        ]);
        for (const token of [first, second, last])
          expect(keysOf(await who.exchange(token))).toBe('400 invalid_request');
        expect([await published(last), await published(other)]).toEqual(['invalid', 'valid']);
      },
    );

    it('all tokens of a key: what came of them in exchange is bound to another key, and gone as well', async () => {
      const who = await cast();
      const subject = await who.subject();
      const [own, leaked] = [key, await testKey()];
      key = leaked;
      const ofLeaked = await tokenOf(who.owner);
      key = own;
      const derived = tokenIn(await who.exchange(ofLeaked));
      expect((await server.admin('DELETE', `keys/${leaked.jkt}/tokens`)).body).toEqual({
        revoked: 2,
      });
      expect([await active(derived), await active(subject)]).toEqual([false, true]);
    });

    it('the record of an exchange names the token that it was made for', async () => {
      const who = await cast();
      const subject = await who.subject();
      const derived = tokenIn(await who.exchange(subject));
      const { items } = (await server.admin('GET', `audit-events?jti=${decodeJwt(derived).jti}`))
        .body;
      expect(items).toMatchObject([{ type: 'token_issued', source: decodeJwt(subject).jti }]);
    });

    it('an owner that is enabled again has its tokens back, and so has who acts for it', async () => {
      const who = await cast();
      const derived = tokenIn(await who.exchange(await who.subject()));
      for (const disabled of [true, false]) {
        await server.admin('PATCH', `clients/${who.owner}`, { disabled });
        expect(await active(derived)).toBe(!disabled);
      }
    });

    it('an actor that is listed again acts for tokens that are issued from then on, and for none before', async () => {
      const who = await cast();
      const before = await who.subject();
      const derived = tokenIn(await who.exchange(before));
      await server.admin('PATCH', `clients/${who.owner}`, { alt_cnf_holders: [] });
      await server.admin('PATCH', `clients/${who.owner}`, { alt_cnf_holders: [who.actor] });
      expect([keysOf(await who.exchange(before)), await active(derived)]).toEqual([
        '400 invalid_grant',
        false,
      ]);
      expect((await who.exchange(await who.subject())).status).toBe(200);
    });

    it('a row of exchanges has an end: the cost of a look at all of them is bounded', async () => {
      const who = await cast();
      let token = await who.subject();
      let answer = await who.exchange(token, who.owner);
      let exchanges = 0;
      for (; answer.status === 200 && exchanges < 40; exchanges++) {
        token = tokenIn(answer);
        answer = await who.exchange(token, who.owner);
      }
      expect([exchanges, keysOf(answer), await active(token)]).toEqual([
        32,
        '400 invalid_grant',
        true,
      ]);
    });
  },
);
