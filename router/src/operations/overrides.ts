import { hash } from 'node:crypto';
import type { Principal } from '../auth/principal.ts';

/** Whether a progressive override holds for a principal: its fields then come from the subgraph that takes them over. */
export type HoldsOverride = (label: string, principal: Principal) => boolean;

const PERCENT = /^percent\((?<share>\d+(?:\.\d+)?)\)$/;
const NONE: readonly string[] = [];

/**
 * Which of a supergraph's progressive overrides hold for whom. Labels such as `percent(5)` hold for that share of
 * the principals (federation's `@override(label:)`), always the same ones, so that nobody sees a field change its
 * source from one request to the next; of anonymous requests each is drawn by itself. What other labels mean is for
 * `holdsOverride` to say; without it they do not hold.
 */
export function createOverrides(
  labels: readonly string[],
  holdsOverride: HoldsOverride = () => false,
): (principal: Principal) => readonly string[] {
  if (labels.length === 0) return () => NONE;
  return (principal) =>
    labels.filter((label) => {
      const share = PERCENT.exec(label)?.groups?.['share'];
      return share === undefined ? holdsOverride(label, principal) : pointOf(principal, label) < Number(share);
    });
}

/** From 0 to below 100, evenly spread. */
function pointOf({ issuer, subject }: Principal, label: string): number {
  if (subject === null) return Math.random() * 100;
  const digest = hash('sha256', JSON.stringify([label, issuer, subject]), 'buffer');
  return (digest.readUInt32BE(0) / 2 ** 32) * 100;
}
