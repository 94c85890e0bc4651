import type { FastifyInstance } from 'fastify';
import type { Clock } from '../domain/clock.ts';
import type { TrustedIssuer } from '../domain/trusted-issuer.ts';
import type { ConfigurationChanges } from '../ports/configuration.ts';
import type { RandomId } from '../ports/ports.ts';
import type { TrustedIssuerRegistry } from '../ports/trusted-issuer-registry.ts';
import { parameterExamples } from './examples.ts';
import { listAll } from './list-all.ts';
import { mountRestResource } from './mount-rest-resource.ts';
import { prefixedIssuers } from './prefixed-issuers.ts';
import { type RestResource, recordedById } from './rest-resource.ts';
import {
  arePrefixesApart,
  checkTrustedIssuer,
  prefixTaken,
  type TrustedIssuerChecks,
} from './trusted-issuer-request.ts';
import {
  type TrustedIssuerBody,
  trustedIssuerAnswer,
  trustedIssuerBody,
  trustedIssuerPatch,
} from './trusted-issuer-schemas.ts';

/** The schemas of trusted issuers that the OpenAPI document names. */
export const trustedIssuerSchemas = [trustedIssuerBody, trustedIssuerPatch, trustedIssuerAnswer];

export interface TrustedIssuerRoutesOptions extends TrustedIssuerChecks {
  readonly trustedIssuers: TrustedIssuerRegistry;
  readonly clock: Clock;
  readonly randomId: RandomId;
}

/** Trusted issuers as a REST resource. */
export function trustedIssuerResource(
  options: TrustedIssuerRoutesOptions,
): RestResource<TrustedIssuer, TrustedIssuerBody> {
  const { trustedIssuers: registry, clock, randomId } = options;
  return {
    path: '/admin/trusted-issuers',
    noun: 'TrustedIssuer',
    tag: 'Trusted issuers',
    exampleId: parameterExamples.trustedIssuer,
    about: {
      create: 'Accepts tokens of this issuer for the uses in `purposes`.',
      replace: 'Replaces all members; the rules stay.',
      delete:
        'Ends the trust, effective with the next request. Tokens issued because of it ' +
        'become inactive.',
    },
    schema: trustedIssuerBody,
    patch: trustedIssuerPatch,
    answers: { shown: trustedIssuerAnswer, changed: trustedIssuerAnswer },
    registry,
    clock,
    idOf: ({ id }) => id,
    async read(body, stored) {
      const value = checkTrustedIssuer(body, stored?.id ?? randomId(), stored, options);
      const others = (await listAll(registry, ({ id }) => id)).map((other) => other.value);
      if (!arePrefixesApart(value, others)) throw prefixTaken();
      return { value };
    },
    show: ({ value: { listed: _, ...shown } }) => shown,
    toBody: ({ id: _, listed: __, ...body }) => body,
    recordOf: recordedById('trusted_issuer', ({ issuer }) => ({ issuer })),
  };
}

/** Mounts `/admin/trusted-issuers`; tokens of a removed issuer are refused from then on. */
export function trustedIssuerRoutes(
  app: FastifyInstance,
  options: TrustedIssuerRoutesOptions & { readonly configuration: ConfigurationChanges },
): void {
  const registry = prefixedIssuers(options.trustedIssuers, options.configuration);
  mountRestResource(app, { ...trustedIssuerResource(options), registry });
}
