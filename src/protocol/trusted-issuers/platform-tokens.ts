import { hash } from 'node:crypto';
import { OAuthError } from '../../domain/oauth-error.ts';
import type { ByRule } from '../../domain/platform-token.ts';
import type { PlatformTokenUse } from '../../domain/refusals/trusted-issuer-tokens.ts';
import type { TrustRule } from '../../domain/trust-rule.ts';
import type { TrustedIssuer } from '../../domain/trusted-issuer.ts';
import type { Ports } from '../../ports/ports.ts';
import type { Refusals } from '../../ports/refusals.ts';
import { type Unmet, unmetConditions } from './match-rule.ts';
import { isSubjectApart, subjectOf } from './subject-template.ts';
import type { VerifyTrustedIssuerToken } from './verify-trusted-issuer-token.ts';

/** A workload, identified by its token or X.509-SVID, and the rule that it met. */
export interface MatchedWorkload {
  readonly issuer: TrustedIssuer;
  readonly rule: TrustRule;
  readonly claims: Readonly<Record<string, unknown>>;
  readonly byRule: ByRule;
}

/** Verifies a platform's token and finds its rule. Throws an OAuthError of that use. */
export type MatchPlatformToken = (text: string, use: PlatformTokenUse) => Promise<MatchedWorkload>;

/** The result for one rule. */
export interface JudgedRule {
  readonly rule: TrustRule;
  /** Empty: it matches. */
  readonly unmet: readonly Unmet[];
}

/** Whether a rule yields what this use needs: a client, or a subject. */
export function isForUse({ subject }: TrustRule, use: PlatformTokenUse): boolean {
  return (subject === undefined) === (use === 'platform_token');
}

/** The rules of this use, in order, each with its unmet conditions. */
export function judgeRules(
  rules: readonly TrustRule[],
  use: PlatformTokenUse,
  claims: object,
): readonly JudgedRule[] {
  return rules
    .filter((rule) => isForUse(rule, use))
    .map((rule) => ({ rule, unmet: unmetConditions(rule, claims) }));
}

/** The first rule that matches; if none does, what to record about it. */
export function firstRule(
  judged: readonly JudgedRule[],
  issuer: TrustedIssuer,
  subject: unknown,
): TrustRule | Parameters<Refusals['ofWorkload']>[1] {
  const match = judged.find(({ unmet }) => unmet.length === 0);
  if (match !== undefined) return match.rule;
  const rules = judged.slice(0, maxRecorded).map(({ rule, unmet }) => ({ rule: rule.id, unmet }));
  return {
    type: 'token_refused',
    actor: `trusted_issuer:${issuer.id}`,
    detail: {
      issuer: issuer.issuer,
      ...(typeof subject === 'string' && { subject: subject.slice(0, 255) }),
      rules,
    },
  };
}

/** Maximum rules that one refusal names. */
const maxRecorded = 20;

export interface PlatformTokensOptions extends Pick<Ports, 'trustedIssuers'> {
  readonly verify: VerifyTrustedIssuerToken;
  readonly refusals: Pick<Refusals, 'ofWorkload'>;
  readonly clockTolerance: number;
}

/** The first rule that matches decides; if none does, the audit trail records why. */
export function platformTokens(options: PlatformTokensOptions): MatchPlatformToken {
  const { verify, trustedIssuers, refusals, clockTolerance } = options;
  return async (text, use) => {
    const { issuer, jws, claims, expiresAt, boundTo } = await verify(text, use);
    const judged = judgeRules(await trustedIssuers.findRules(issuer.id), use, claims);
    const digest = hash('sha256', jws.signingInput, 'base64url');
    const rule = firstRule(judged, issuer, claims['sub']);
    if ('type' in rule) {
      const reason = `${use}_no_rule` as const;
      refusals.ofWorkload(digest, { ...rule, reason });
      throw new OAuthError(reason);
    }
    const { pin = false } = rule;
    const token = { use, digest, expiresAt: expiresAt + clockTolerance, pin, boundTo };
    return { issuer, rule, claims, byRule: { ...limitsOf(rule), token } };
  };
}

/** The rule, and its limits for whatever is issued by it. */
export function limitsOf({
  id: rule,
  access_token_lifetime: maxLifetime,
  resources: audiences,
  scope,
}: TrustRule): ByRule {
  return { rule, maxLifetime, audiences, scope };
}

/** The subject of a matched rule, with the prefix of its issuer; undefined if there is none. */
export function subjectOfMatch({ issuer, rule, claims }: MatchedWorkload): string | undefined {
  // The prefix may have been removed since the rule was created.
  if (rule.subject === undefined || !isSubjectApart(issuer, rule)) return undefined;
  const subject = subjectOf(rule.subject, claims);
  const whole = (issuer.subject_prefix ?? '') + (subject ?? '');
  return subject === undefined || whole.length > 255 ? undefined : whole;
}
