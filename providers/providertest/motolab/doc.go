// Package motolab runs moto_server, an imitation of AWS that we did not write,
// behind a small front that supplies what moto 5.2.1 lacks. Tests with the build
// tag peers use it; without the tag the package is empty.
//
// The front's own answers, written from the CloudFront, S3 and Resource Groups
// Tagging API References, are exactly these; everything else is moto's:
//
//   - ListDistributions: whole rows and paging (MaxItems, Marker). The
//     configuration in them, and in GetDistribution and GetDistributionConfig, is
//     the text that was sent with the create or the update, for moto drops parts
//     of it. IDs, ARNs, domain names, CallerReference conflicts, tags and the
//     first deployment are moto's. Only distributions made through the front
//     are known to it.
//   - ETags of distributions, which change with each update; If-Match (400
//     InvalidIfMatchVersion, 412 PreconditionFailed); IllegalUpdate for another
//     CallerReference; DistributionNotDisabled.
//   - CNAMEAlreadyExists for an alias of another distribution.
//   - Status InProgress for the deployment time after an update.
//   - Cache policies: create, get, list; CachePolicyAlreadyExists;
//     TooManyCachePolicies at 20; NoSuchCachePolicy for a distribution that
//     names one that is neither here nor managed by AWS. Get knows
//     CachingOptimized and CachingDisabled of AWS's own.
//   - GetResources for distributions, from moto's ListTagsForResource.
//   - GetBucketPolicyStatus: public when moto's policy of the bucket has an
//     Allow for everybody without a condition.
//   - GetBucketRequestPayment: BucketOwner.
//   - x-amz-request-id of HeadObject.
//   - PutObject, one at a time: two writes at once on one condition both succeed in
//     moto now and then.
//   - After SetRates only: refusals for the rate of requests.
//   - After AtomicChanges only: the refusals of ChangeResourceRecordSets, and
//     batches that are all or nothing; the records and their lists stay moto's.
package motolab
