import type { ClaimCondition, TrustRule } from '../../domain/trust-rule.ts';
import { claimAt, readClaimPath } from './claim-path.ts';

/** A condition of a rule that a token does not meet; the value itself is not revealed. */
export interface Unmet {
  /** As the rule spells it. */
  readonly claim: string;
  readonly because: 'absent' | 'another type' | 'another value';
}

/** The conditions of the rule that these claims do not meet; none: the rule matches. */
export function unmetConditions({ claims: wanted }: TrustRule, claims: object): readonly Unmet[] {
  return Object.entries(wanted).flatMap(([claim, condition]) => {
    const path = readClaimPath(claim);
    const because = path === undefined ? 'absent' : fault(condition, claimAt(claims, path));
    return because === undefined ? [] : [{ claim, because }];
  });
}

/**
 * Whether this number can only be what the JSON text says (RFC 8259 §6): neighbours among larger
 * integers are read as one number.
 */
export function isComparable(value: number): boolean {
  return Number.isSafeInteger(value) || !Number.isInteger(value);
}

function fault(condition: ClaimCondition, value: unknown): Unmet['because'] | undefined {
  if (value === undefined) return 'absent';
  if (typeof condition === 'number' && !isComparable(condition)) return 'another value';
  if (typeof condition === 'number' || typeof condition === 'boolean')
    return condition === value ? undefined : 'another value';
  if (typeof value !== 'string') return 'another type';
  return isMet(condition, value) ? undefined : 'another value';
}

function isMet(condition: Exclude<ClaimCondition, number | boolean>, value: string): boolean {
  if (typeof condition === 'object')
    return 'exact' in condition ? value === condition.exact : value.startsWith(condition.prefix);
  if (!condition.endsWith('*')) return value === condition;
  return value !== '' && value.startsWith(condition.slice(0, -1));
}
