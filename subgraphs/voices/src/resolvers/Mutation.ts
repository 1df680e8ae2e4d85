import { requireViewer } from '@timbre/platform/viewer';
import type { MutationResolvers } from '../generated/types.ts';

export const Mutation: MutationResolvers = {
  async beginVoiceClone(_, { input }, { identity, voices }) {
    const { value, errors } = await voices.begin(requireViewer(identity), input);
    return { voice: null, uploads: [], consentStatement: null, ...value, errors };
  },

  async submitVoiceConsent(_, { input }, { identity, voices }) {
    const { value, errors } = await voices.submitConsent(requireViewer(identity), input);
    return { voice: null, upload: null, ...value, errors };
  },

  async finalizeVoiceClone(_, { voiceId, idempotencyKey }, { identity, voices }) {
    const { value, errors } = await voices.finalize(requireViewer(identity), voiceId, idempotencyKey);
    return { voice: value, errors };
  },

  async updateVoice(_, { input }, { identity, voices }) {
    const { value, errors } = await voices.update(requireViewer(identity), input);
    return { voice: value, errors };
  },

  async revokeVoiceConsent(_, { voiceId }, { identity, voices }) {
    const { value, errors } = await voices.revokeConsent(requireViewer(identity), voiceId);
    return { voice: value, errors };
  },

  async deleteVoice(_, { voiceId }, { identity, voices }) {
    const { value, errors } = await voices.delete(requireViewer(identity), voiceId);
    return { deletedVoiceId: value, errors };
  },
};
