import { randomJti, type TestKey } from './keys.ts';
import { ath, exchangeForm, type Pair, unaware } from './pair.ts';
import { type Answer, issuer } from './server.ts';

/** What a delegation says; the rest is as it should be. */
export interface DelegationRequest {
  readonly form?: Readonly<Record<string, string | undefined>>;
  /** Claims, header and key of the `subject_token_proof`; `undefined` members are left out. */
  readonly claims?: object;
  readonly header?: object;
  readonly signer?: TestKey;
  /** Of the DPoP proof, by the key of the backend unless `actorKey` is given. */
  readonly dpop?: object;
  readonly actorKey?: TestKey;
}

/** The backend acts for the app: both have a token, and both prove their key in one request. */
export interface Delegation {
  readonly subjectToken: string;
  readonly actorToken: string;
  proof(request?: DelegationRequest): Promise<string>;
  ask(request?: DelegationRequest): Promise<Answer>;
}

/** Lets app and backend obtain their tokens. */
export async function delegation(
  pair: Pair,
  subjectToken?: string,
  resource = unaware,
): Promise<Delegation> {
  const { server, appKey, backendKey } = pair;
  const subject =
    subjectToken ??
    ((await pair.ask({ form: { resource, req_alt_cnf: undefined } })).body.access_token as string);
  const actorToken = (await pair.backendSignsIn()).body.access_token as string;
  const now = () => Math.floor(server.clock.now / 1000);
  const proof: Delegation['proof'] = ({ claims = {}, header = {}, signer = appKey } = {}) =>
    signer.sign(
      {
        aud: issuer,
        client_id: 'backend',
        cnf: { jkt: backendKey.jkt },
        ath: ath(subject),
        resource,
        iat: now(),
        exp: now() + 120,
        jti: randomJti(),
        ...claims,
      },
      { typ: 'subject-token-proof+jwt', jwk: signer.jwk, ...header },
    );
  return {
    subjectToken: subject,
    actorToken,
    proof,
    ask: async (request = {}) => {
      const { form = {}, dpop = {}, actorKey = backendKey } = request;
      return pair.backendExchanges(
        subject,
        { ...actorForm(actorToken), subject_token_proof: await proof(request), ...form },
        actorKey,
        { ath: ath(actorToken), ...dpop },
      );
    },
  };
}

/** The form of a delegation, without the proof. */
export function actorForm(actorToken: string): Record<string, string> {
  return {
    actor_token: actorToken,
    actor_token_type: exchangeForm('')['subject_token_type'] ?? '',
  };
}
