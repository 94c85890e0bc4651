import { isDeepStrictEqual } from 'node:util';
import type { TrustRule } from '../../domain/trust-rule.ts';
import type { TrustedIssuer } from '../../domain/trusted-issuer.ts';
import type { Stored } from '../../ports/registry.ts';
import { listAll } from '../list-all.ts';
import { Problem } from '../problem.ts';
import { type TrustRuleBody, trustRuleResource } from '../trust-rules.ts';
import { arePrefixesApart, prefixTaken } from '../trusted-issuer-request.ts';
import type { TrustedIssuerBody } from '../trusted-issuer-schemas.ts';
import { trustedIssuerResource } from '../trusted-issuers.ts';
import { namesPruned, once } from './checks.ts';
import { listIn, type Planner, planDeletion, planOne } from './plan-kind.ts';
import type { Planning } from './planning.ts';

/** Plans trusted issuers and their rules. `isPruned`: whether a client will be deleted. */
export async function planTrust(
  planning: Planning,
  isPruned: (clientId: string) => boolean,
): Promise<void> {
  const { configuration, prune, options, registrations, faults, add } = planning;
  const { trustedIssuers } = registrations;
  const resource = trustedIssuerResource({ ...options, ...registrations });
  const planner: Planner<TrustedIssuer, TrustedIssuerBody> = {
    kind: 'trusted_issuer',
    resource,
    registry: (of) => of.trustedIssuers,
  };
  const declared = new Map<string, string>();
  const prefixed: TrustedIssuer[] = [];
  for (const [index, each] of listIn(configuration, 'trusted_issuers').entries()) {
    const path = `trusted_issuers[${index}]`;
    const { rules = [], ...body } = (each as typeof each | null) ?? ({} as typeof each);
    const found = await trustedIssuers.findTrustedIssuer(String(body.issuer));
    const stored = found && (await trustedIssuers.get(found.id));
    let issuer: TrustedIssuer | undefined;
    await faults.check(path, async () => {
      once(declared, body.issuer, { member: 'issuer', path });
      if (body.clients?.some(isPruned) === true) throw namesPruned('clients');
      const planned = await planOne(planner, { body, name: body.issuer }, stored);
      issuer = planned.value;
      if (!arePrefixesApart(issuer, prefixed)) throw prefixTaken();
      prefixed.push(issuer);
      add(planned.change);
    });
    await planRules(planning, { path, rules, issuer, isStored: stored !== undefined, isPruned });
  }
  if (!prune) return;
  for (const stored of await listAll(trustedIssuers, resource.idOf)) {
    const { id, issuer } = stored.value;
    if (declared.has(issuer)) continue;
    if (stored.managedBy === 'configuration') add(planDeletion(planner, issuer, stored));
    else
      for (const rule of await listAll(trustedIssuers.rulesOf(id), ({ id }) => id, true))
        add(planDeletion(rulePlanner(planning, id), ruleName(issuer, rule.value), rule));
  }
}

interface DeclaredRules {
  readonly path: string;
  readonly rules: readonly TrustRuleBody[];
  /** Undefined: the declaration has a fault. */
  readonly issuer: TrustedIssuer | undefined;
  readonly isStored: boolean;
  readonly isPruned: (clientId: string) => boolean;
}

async function planRules(
  planning: Planning,
  { path, rules, issuer, isStored, isPruned }: DeclaredRules,
): Promise<void> {
  const { prune, registrations, faults, add } = planning;
  const id = issuer?.id ?? '';
  const planner = rulePlanner(planning, id, issuer);
  const registry = registrations.trustedIssuers.rulesOf(id);
  const there = isStored ? await listAll(registry, ({ id }) => id) : [];
  const kept = new Set<Stored<TrustRule>>();
  const seen = new Map<string, string>();
  for (const [index, body] of (Array.isArray(rules) ? rules : []).entries())
    await faults.check(`${path}.rules[${index}]`, async (rule) => {
      const name = ruleName(issuer?.issuer ?? '', body);
      const member = body.name === undefined ? 'claims' : 'name';
      once(seen, name, { member, path: rule, what: 'rule' });
      if (body.client_id !== undefined && isPruned(body.client_id)) throw namesPruned('client_id');
      const [stored, other] = there.filter(({ value }) => isSameRule(value, body));
      if (other !== undefined)
        throw new Problem(400, 'several rules of this issuer have this name', 'name');
      if (stored !== undefined) kept.add(stored);
      const parameters = { trusted_issuer_id: id };
      // A rule whose client was deleted matches nobody; the declared one names a current client.
      const isDead = stored?.value.client_id !== undefined && stored.value.listed.size === 0;
      if (isDead) add(planDeletion(planner, name, stored));
      const planned = await planOne(
        planner,
        { body, name, parameters },
        isDead ? undefined : stored,
      );
      add(planned.change);
    });
  for (const stored of prune ? there : [])
    if (stored.managedBy === 'configuration' && !kept.has(stored))
      add(planDeletion(planner, ruleName(issuer?.issuer ?? '', stored.value), stored));
}

function rulePlanner(
  { options, registrations }: Planning,
  issuerId: string,
  issuer?: TrustedIssuer,
) {
  return {
    kind: 'trust_rule',
    resource: trustRuleResource({ ...options, ...registrations, issuerOf: async () => issuer }),
    registry: ({ trustedIssuers }) => trustedIssuers.rulesOf(issuerId),
  } satisfies Planner<TrustRule, TrustRuleBody>;
}

type Named = Pick<TrustRuleBody, 'name' | 'claims'>;

function ruleName(issuer: string, { name, claims }: Named): string {
  return `${issuer} ${name ?? JSON.stringify(claims)}`;
}

function isSameRule(a: Named, b: Named): boolean {
  if (a.name !== undefined || b.name !== undefined) return a.name === b.name;
  return isDeepStrictEqual({ ...a.claims }, { ...b.claims });
}
