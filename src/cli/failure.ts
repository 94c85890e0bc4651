import { HolderError, type HolderErrorCode } from '../../packages/client/src/holder-error.ts';
import { CommandError, type ExitCode, exitCodes } from './exit-codes.ts';

/** What the user reads, and the exit code. */
export interface Failure {
  readonly message: string;
  readonly exitCode: ExitCode;
}

const exitCodeOf: Readonly<Record<HolderErrorCode, ExitCode>> = {
  invalid_options: exitCodes.configuration,
  secret_in_browser: exitCodes.configuration,
  key_unavailable: exitCodes.configuration,
  platform_token_unavailable: exitCodes.configuration,
  server_unreachable: exitCodes.unreachable,
  server_metadata_invalid: exitCodes.configuration,
  token_refused: exitCodes.refused,
  token_response_invalid: exitCodes.failed,
  token_not_bound: exitCodes.failed,
  origin_not_allowed: exitCodes.usage,
  invalid_request: exitCodes.usage,
  redirect_refused: exitCodes.failed,
};

/** The sentence and exit code for an error; undefined: it is a defect of the command. */
export function failureOf(error: unknown): Failure | undefined {
  if (error instanceof CommandError) return error;
  if (error instanceof HolderError)
    return { message: sentence(adviceFor(error)), exitCode: exitCodeOf[error.code] };
  return undefined;
}

/** The message with options of this command in place of those of the library. */
function adviceFor({ code, message }: HolderError): string {
  if (code !== 'origin_not_allowed') return message;
  const [fault] = message.split(': ');
  return `${fault}. If this is an origin of the API, add it: holdfast profile set NAME --origin URL…`;
}

function sentence(text: string): string {
  return withFullStop(`${text.charAt(0).toUpperCase()}${text.slice(1)}`);
}

/** The text with a full stop, unless a sentence ends with it already. */
export function withFullStop(text: string): string {
  return /[.!?…]$/.test(text) ? text : `${text}.`;
}
