import { additionalHolderRefusals } from './refusals/additional-holders.ts';
import { clientAuthenticationRefusals } from './refusals/client-authentication.ts';
import { confirmationRefusals } from './refusals/confirmation.ts';
import { gatewayRefusals } from './refusals/gateway.ts';
import { grantRefusals } from './refusals/grant.ts';
import { possessionRefusals } from './refusals/possession.ts';
import type { Refusal } from './refusals/refusal.ts';
import { requestRefusals } from './refusals/request.ts';
import { subjectTokenProofRefusals } from './refusals/subject-token-proof.ts';

/** Every reason for which a request is refused, by chapter of docs/errors.md. */
export const refusalChapters = {
  'The request': requestRefusals,
  'Client authentication': clientAuthenticationRefusals,
  'Grant, resource and scope': grantRefusals,
  'Proof of possession': possessionRefusals,
  'Delegation: proof of the subject': subjectTokenProofRefusals,
  'Additional holders': additionalHolderRefusals,
  Confirmation: confirmationRefusals,
  'At a gateway': gatewayRefusals,
};

/** The closed set of reasons, for the log, the audit trail and the metrics. Never sent. */
export type RefusalReason = {
  [Chapter in keyof typeof refusalChapters]: keyof (typeof refusalChapters)[Chapter];
}[keyof typeof refusalChapters];

/** Code, sentence and help of each reason. */
export const refusalReasons: Readonly<Record<RefusalReason, Refusal>> = {
  ...requestRefusals,
  ...clientAuthenticationRefusals,
  ...grantRefusals,
  ...possessionRefusals,
  ...subjectTokenProofRefusals,
  ...additionalHolderRefusals,
  ...confirmationRefusals,
  ...gatewayRefusals,
};
