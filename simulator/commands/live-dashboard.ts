// `--ui`: the page that shows a run as it happens. Nothing of it is loaded unless it is asked for.

import { once } from 'node:events';
import { InvalidArgumentError, Option } from 'commander';
import type { Address } from '../../common/address.ts';
import { OperatorError } from '../../common/errors.ts';
import type { Dashboard, DashboardTerms } from '../dashboard/dashboard.ts';
import { portOrAddress } from './option-values.ts';

/** Where the page is when nobody says: on this machine only. */
export const defaultUi: Address = { host: '127.0.0.1', port: 7080 };

/** `true`: at {@link defaultUi}. */
export type UiOptions = { readonly ui?: Address | true };

type Quiet = { readonly quiet: boolean };

export const uiOption = (): Option =>
  new Option(
    '--ui [address]',
    `show the run in a browser as it happens, on a port (of 127.0.0.1) or host:port; 0: a free one (default: ${defaultUi.port})`,
  ).argParser(parseUi);

function parseUi(text: string): Address {
  const address = portOrAddress(text);
  if (address !== undefined) return address;
  throw new InvalidArgumentError(
    `Expected a port or host:port, such as ${defaultUi.port}; found "${text}". (The scenario stands before --ui.)`,
  );
}

/** Carries out what is to be watched, with its page if one is wanted; the page lives as long as that takes. */
export async function withDashboard(
  { ui, quiet }: UiOptions & Quiet,
  terms: Omit<DashboardTerms, 'listen'>,
  run: (dashboard: Dashboard | undefined) => Promise<void>,
): Promise<void> {
  if (ui === undefined) return await run(undefined);
  const { Dashboard } = await import('../dashboard/dashboard.ts');
  const dashboard = await Dashboard.open({ ...terms, listen: ui === true ? defaultUi : ui });
  const others = dashboard.isOpenToOthers ? ' (for everybody who can reach this machine)' : '';
  if (!quiet) process.stderr.write(`Watch it at ${dashboard.url}${others}\n`);
  try {
    await run(dashboard);
  } catch (error) {
    dashboard.fail(error instanceof OperatorError ? error.message : 'It broke off by a fault of the simulator.');
    throw error;
  } finally {
    await dashboard.close();
  }
}

/**
 * Keeps the page when the run has ended: in a terminal until Ctrl-C; without one as long as the page is open somewhere; in CI (the
 * variable CI is set, and neither empty, 0 nor false) not at all. `signal`: aborted by Ctrl-C.
 */
export async function stay(dashboard: Dashboard | undefined, { quiet }: Quiet, signal: AbortSignal): Promise<void> {
  if (dashboard === undefined || signal.aborted) return;
  const say = (line: string): void => {
    if (!quiet) process.stderr.write(`${line}\n`);
  };
  if (isOn(process.env['CI'])) {
    say('The page ends with the run: this is CI.');
  } else if (process.stdin.isTTY || process.stderr.isTTY) {
    say(`The report stays at ${dashboard.url} until Ctrl-C.`);
    await once(signal, 'abort');
  } else if (dashboard.readerCount === 0) {
    say('The page ends with the run: nobody has it open, and there is no terminal.');
  } else {
    say(`The report stays at ${dashboard.url} as long as it is open there.`);
    await dashboard.untilUnread(signal);
  }
}

function isOn(variable: string | undefined): boolean {
  return variable !== undefined && !['', '0', 'false'].includes(variable.toLowerCase());
}
