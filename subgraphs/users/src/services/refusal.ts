/** What the caller of a mutation can act on. */
export interface Refusal {
  message: string;
  code: string;
  path: string[];
}
