import { ConfigurationFileError } from '../admin/configuration/file.ts';
import { configurationFileFaults } from '../app/configuration-file.ts';
import { auditSinkFault } from '../app/open-audit-sink.ts';
import { tlsFileFaults } from '../app/tls-files.ts';
import { type Config, examineConfig, listOfFaults } from '../config/config.ts';
import { configurationError } from './exit-codes.ts';
import { printable, printJson, type Terminal } from './terminal.ts';

/** Faults found in one place, as a text and one by one. */
type Part = { readonly text: string; readonly faults: readonly string[] };

/**
 * Checks the environment and the file of CONFIG_FILE. Returns warnings. Throws CommandError with
 * every fault.
 */
export async function configurationFaults({
  env,
}: Pick<Terminal, 'env'>): Promise<readonly string[]> {
  const { parts, warnings } = await examined(env);
  if (parts.length > 0) throw configurationError(textOf(parts));
  return warnings;
}

/** Reports whether the server could start with this environment, as far as its values tell. */
export async function validateConfig(terminal: Terminal, json = false): Promise<void> {
  const { config, parts: found, warnings } = await examined(terminal.env);
  const sinkFault = auditSinkFault(config);
  const sink = sinkFault === undefined ? [] : [{ text: sinkFault, faults: [sinkFault] }];
  const tls = tlsFileFaults(config).map((text) => ({ text, faults: [text] }));
  const parts = [...found, ...sink, ...tls];
  const valid = parts.length === 0;
  for (const warning of warnings) terminal.stderr.write(`warning: ${printable(warning)}\n`);
  if (json) {
    const faults = parts.flatMap((part) => part.faults);
    printJson(terminal, { valid, faults, warnings });
  } else if (valid) terminal.stdout.write('The configuration is valid.\n');
  if (!valid) throw configurationError(textOf(parts));
}

async function examined(env: Terminal['env']): Promise<{
  readonly config: Config;
  readonly parts: readonly Part[];
  readonly warnings: readonly string[];
}> {
  const { config, faults } = examineConfig(env);
  const parts = faults.length === 0 ? [] : [{ text: listOfFaults(faults), faults }];
  const file = await examinedFile(config);
  const warnings = [...config.warnings, ...file.warnings];
  return { config, parts: [...parts, ...file.parts], warnings };
}

async function examinedFile(
  config: Config,
): Promise<{ readonly parts: readonly Part[]; readonly warnings: readonly string[] }> {
  const { configurationFile: file } = config;
  if (file === undefined) return { parts: [], warnings: [] };
  const { faults, warnings } = await configurationFileFaults(file, config).catch(
    (error: unknown) => {
      if (!(error instanceof ConfigurationFileError)) throw error;
      return { faults: error.message, warnings: [] };
    },
  );
  if (faults === '') return { parts: [], warnings };
  return {
    parts: [{ text: `CONFIG_FILE has faults:\n${faults}`, faults: faults.split('\n') }],
    warnings,
  };
}

/** The text of all parts, made safe for a terminal. */
function textOf(parts: readonly Part[]): string {
  const lines = parts.flatMap(({ text }) => text.split('\n'));
  return lines.map(printable).join('\n');
}
