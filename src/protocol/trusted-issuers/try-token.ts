import { OAuthError } from '../../domain/oauth-error.ts';
import { type RefusalReason, refusalReasons } from '../../domain/refusal-reasons.ts';
import type { TrustRule } from '../../domain/trust-rule.ts';
import type { Ports } from '../../ports/ports.ts';
import { RemoteJwksUnavailable } from '../client-keys/remote-jwks/unavailable.ts';
import { type JudgedRule, judgeRules } from './platform-tokens.ts';
import { subjectOf } from './subject-template.ts';
import type {
  TrustedIssuerToken,
  VerifyTrustedIssuerToken,
} from './verify-trusted-issuer-token.ts';

/** The result that a token would have, for the operator. */
export interface TriedToken {
  /** False: no rule was tried, because of `fault`. */
  readonly verified: boolean;
  readonly fault?: RefusalReason | 'token_of_another_issuer';
  readonly help?: string;
  /** Every rule, in order. */
  readonly rules: readonly {
    readonly id: string;
    readonly leads_to: 'client' | 'subject';
    readonly matches: boolean;
    /** True: this rule would be the one that counts. */
    readonly wins: boolean;
    readonly unmet: JudgedRule['unmet'];
    readonly client_id?: string;
    /** The subject that its template gives for the claims. */
    readonly subject?: string;
  }[];
  readonly warnings: readonly string[];
}

/** Tries a token of the issuer with this id. Issues and records nothing. */
export type TryToken = (trustedIssuerId: string, token: string) => Promise<TriedToken>;

/** Tries tokens against the rules that apply to requests. */
export function tryToken({
  verify,
  trustedIssuers,
}: Pick<Ports, 'trustedIssuers'> & { readonly verify: VerifyTrustedIssuerToken }): TryToken {
  return async (trustedIssuerId, text) => {
    let token: TrustedIssuerToken;
    try {
      token = await verify(text, 'platform_token');
    } catch (error) {
      if (!(error instanceof OAuthError)) throw error;
      const { reason, cause } = error;
      const because = cause instanceof RemoteJwksUnavailable ? ` (${cause.reason})` : '';
      return unverified(reason, refusalReasons[reason].help + because);
    }
    if (token.issuer.id !== trustedIssuerId)
      return unverified('token_of_another_issuer', 'Try it at the issuer that it names.');
    const rules = await trustedIssuers.findRules(trustedIssuerId);
    const uses = ['platform_token', 'grant_assertion'] as const;
    const judged = uses.map((use) => judgeRules(rules, use, token.claims));
    const winners = judged.map((each) => each.find(({ unmet }) => unmet.length === 0)?.rule);
    return {
      verified: true,
      rules: judged.flat().map((each) => shown(each, winners, token)),
      warnings: judged.flatMap(warningsOf),
    };
  };
}

function unverified(fault: NonNullable<TriedToken['fault']>, help: string): TriedToken {
  return { verified: false, fault, help, rules: [], warnings: [] };
}

function shown(
  { rule, unmet }: JudgedRule,
  winners: readonly (TrustRule | undefined)[],
  { claims, issuer }: TrustedIssuerToken,
): TriedToken['rules'][number] {
  const made = rule.subject === undefined ? undefined : subjectOf(rule.subject, claims);
  return {
    id: rule.id,
    leads_to: rule.subject === undefined ? 'client' : 'subject',
    matches: unmet.length === 0,
    wins: winners.includes(rule),
    unmet,
    ...(rule.client_id !== undefined && { client_id: rule.client_id }),
    ...(made !== undefined && { subject: (issuer.subject_prefix ?? '') + made }),
  };
}

function warningsOf(judged: readonly JudgedRule[]): readonly string[] {
  const [first, ...others] = judged.filter(({ unmet }) => unmet.length === 0);
  return others.map(
    ({ rule }) => `rule ${rule.id} matches too, but ${first?.rule.id ?? ''} comes before it`,
  );
}
