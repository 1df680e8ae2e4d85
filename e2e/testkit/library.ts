import type { GraphClient } from '@timbre/cli/client/graph-client';
import { ModelsDocument, VoiceLibraryDocument } from '@timbre/cli/generated/graphql';

/** The id of a voice that anyone may use. */
export async function libraryVoice(client: GraphClient): Promise<string> {
  const { voiceLibrary } = await client.execute(VoiceLibraryDocument, { first: 1 });
  const id = voiceLibrary?.edges[0]?.node.id;
  if (id === undefined) throw new Error('The library is empty.');
  return id;
}

export async function firstModel(client: GraphClient): Promise<string> {
  const { models } = await client.execute(ModelsDocument, {});
  const id = models?.[0]?.id;
  if (id === undefined) throw new Error('No model is offered: is the local engine installed?');
  return id;
}
