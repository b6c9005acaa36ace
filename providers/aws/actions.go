package aws

import "github.com/edgeward/edgeward/providers"

// Permissions are the rights that the calls of this package need. Every
// operation that the package's source has is in the table and no other
// (TestPermissionsHaveEveryCall). Actions, resources and condition keys are those
// of the Service Authorization Reference of September 2026.
func Permissions() []providers.Permission {
	var all []providers.Permission
	all = append(all, bucketPermissions()...)
	all = append(all, lockPermissions()...)
	all = append(all, distributionPermissions()...)
	all = append(all, accessPermissions()...)
	all = append(all, certificatePermissions()...)
	return append(all, accountPermissions()...)
}

func bucketPermissions() []providers.Permission {
	const required = "S3 User Guide: Required permissions for Amazon S3 API operations"
	var rows []providers.Permission
	for _, read := range [][2]string{
		{"s3:GetBucketCORS", "s3.GetBucketCors"},
		{"s3:GetBucketLogging", "s3.GetBucketLogging"},
		{"s3:GetBucketOwnershipControls", "s3.GetBucketOwnershipControls"},
		{"s3:GetBucketPolicy", "s3.GetBucketPolicy"},
		{"s3:GetBucketPolicyStatus", "s3.GetBucketPolicyStatus"},
		{"s3:GetBucketPublicAccessBlock", "s3.GetPublicAccessBlock"},
		{"s3:GetBucketRequestPayment", "s3.GetBucketRequestPayment"},
		{"s3:GetBucketWebsite", "s3.GetBucketWebsite"},
	} {
		rows = append(rows, providers.Permission{Action: read[0], Calls: []string{read[1]}, Reads: true,
			On: providers.OnBucket, If: providers.IfBucket, Source: required})
	}
	return append(rows, []providers.Permission{
		{Action: "s3:ListAllMyBuckets", Calls: []string{"s3.ListBuckets"}, Reads: true, On: providers.OnAll, If: providers.IfDiscover, Source: required},
		// HeadBucket's answer names the region whatever its status is, so nothing is
		// needed for it; without a region in it GetBucketLocation is asked.
		{Action: "s3:ListBucket", Calls: []string{"s3.HeadBucket"}, Reads: true, On: providers.OnBucket, If: providers.IfNothing,
			Source: "S3 API Reference: HeadBucket"},
		{Action: "s3:GetBucketLocation", Calls: []string{"s3.GetBucketLocation"}, Reads: true, On: providers.OnBucket, If: providers.IfRegionAsked, Source: required},
		{Action: "s3:ListBucket", Calls: []string{"s3.ListObjectsV2"}, Reads: true, On: providers.OnBucket, If: providers.IfListed, Source: required},
		{Action: "s3:GetObject", Calls: []string{"s3.HeadObject"}, Reads: true, On: providers.OnObjects, If: providers.IfChosenPolicy,
			Source: "S3 API Reference: HeadObject, Permissions"},
		// A HEAD of a key that is gone is 403 without it.
		{Action: "s3:ListBucket", Calls: []string{"s3.HeadObject"}, Reads: true, On: providers.OnBucket, If: providers.IfChosenPolicy,
			Source: "S3 API Reference: HeadObject, Permissions"},
		{Action: "s3:ListBucket", Calls: []string{"s3.ListObjectsV2"}, Reads: true, On: providers.OnBucket, If: providers.IfAccessLog, Source: required},
		{Action: "s3:GetObject", Calls: []string{"s3.GetObject"}, Reads: true, On: providers.OnObjects, If: providers.IfAccessLog, Source: required},
	}...)
}

func lockPermissions() []providers.Permission {
	return []providers.Permission{
		{Action: "s3:GetObject", Calls: []string{"s3.GetObject"}, On: providers.OnObjects, If: providers.IfLock,
			Source: "S3 API Reference: GetObject, Permissions"},
		{Action: "s3:PutObject", Calls: []string{"s3.PutObject"}, On: providers.OnObjects, If: providers.IfLock,
			Source: "S3 User Guide: How to prevent object overwrites with conditional writes"},
		// Without it S3 answers 403 and not 404 while there is no lock yet.
		{Action: "s3:ListBucket", Calls: []string{"s3.GetObject"}, On: providers.OnBucket, If: providers.IfLock,
			Source: "S3 API Reference: GetObject, Permissions"},
		{Action: "s3:GetBucketLocation", Calls: []string{"s3.GetBucketLocation"}, On: providers.OnBucket, If: providers.IfLockAsked,
			Source: "S3 User Guide: Required permissions for Amazon S3 API operations"},
	}
}

func distributionPermissions() []providers.Permission {
	const reference = "CloudFront Developer Guide: CloudFront API permissions"
	return []providers.Permission{
		{Action: "cloudfront:ListDistributions", Calls: []string{"cloudfront.ListDistributions"}, Reads: true, On: providers.OnAll, If: providers.IfBucket},
		{Action: "cloudfront:ListCachePolicies", Calls: []string{"cloudfront.ListCachePolicies"}, Reads: true, On: providers.OnAll, If: providers.IfBucket},
		{Action: "tag:GetResources", Calls: []string{"resourcegroupstaggingapi.GetResources"}, Reads: true, On: providers.OnAll, If: providers.IfBucket},
		{Action: "cloudfront:GetDistribution", Calls: []string{"cloudfront.GetDistribution", "cloudfront.ListDomainConflicts"}, Reads: true, On: providers.OnDistribution, If: providers.IfBucket},
		// Without it a plan says that it does not know, and goes on.
		{Action: "cloudfront:ListDomainConflicts", Calls: []string{"cloudfront.ListDomainConflicts"}, Reads: true, On: providers.OnDistribution, If: providers.IfBucket},
		{Action: "cloudfront:ListTagsForResource", Calls: []string{"cloudfront.ListTagsForResource"}, Reads: true, On: providers.OnDistribution, If: providers.IfBucket},
		{Action: "cloudfront:GetCachePolicy", Calls: []string{"cloudfront.GetCachePolicy"}, Reads: true, On: providers.OnCachePolicy, If: providers.IfChosenPolicy},
		// A policy that this run made is read until the list shows it.
		{Action: "cloudfront:GetCachePolicy", Calls: []string{"cloudfront.GetCachePolicy"}, On: providers.OnCachePolicy, If: providers.IfOwnPolicy},
		{Action: "cloudfront:CreateCachePolicy", Calls: []string{"cloudfront.CreateCachePolicy"}, On: providers.OnAll, If: providers.IfOwnPolicy},
		// IAM has no action of the operation's name.
		{Action: "cloudfront:CreateDistribution", Calls: []string{"cloudfront.CreateDistributionWithTags"}, On: providers.OnAll, If: providers.IfBucket, Source: reference},
		{Action: "cloudfront:TagResource", Calls: []string{"cloudfront.CreateDistributionWithTags", "cloudfront.TagResource"},
			On: providers.OnDistribution, If: providers.IfBucket, Source: reference},
		{Action: "cloudfront:GetDistributionConfig", Calls: []string{"cloudfront.GetDistributionConfig"}, On: providers.OnDistribution, If: providers.IfBucket},
		{Action: "cloudfront:UpdateDistribution", Calls: []string{"cloudfront.UpdateDistribution"}, On: providers.OnDistribution, If: providers.IfBucket},
		// CloudFront lets itself write to the bucket of the logs.
		{Action: "s3:GetBucketAcl", On: providers.OnBucket, If: providers.IfLogging, Source: reference},
		{Action: "s3:PutBucketAcl", On: providers.OnBucket, If: providers.IfLogging, Source: reference},
		// "Unable to verify read permissions on Web ACL" (InvalidWebACLId).
		{Action: "wafv2:GetWebACL", On: providers.OnWebACL, If: providers.IfWebACL, Source: "github.com/aws/aws-sdk-java/issues/2901"},
	}
}

// accessPermissions are those of locking a bucket. S3 has no action of its own for
// removing a public access block.
func accessPermissions() []providers.Permission {
	const required = "S3 User Guide: Required permissions for Amazon S3 API operations"
	return []providers.Permission{
		{Action: "s3:GetAccountPublicAccessBlock", Calls: []string{"s3control.GetPublicAccessBlock"}, Reads: true, On: providers.OnAll, If: providers.IfClosed, Source: required},
		{Action: "cloudfront:ListOriginAccessControls", Calls: []string{"cloudfront.ListOriginAccessControls"}, Reads: true, On: providers.OnAll, If: providers.IfClosed},
		// The links of a locked bucket are fetched from S3 with a signature too.
		{Action: "s3:GetObject", Calls: []string{"s3.HeadObject"}, Reads: true, On: providers.OnObjects, If: providers.IfClosed, Source: required},
		{Action: "s3:ListBucket", Calls: []string{"s3.ListObjectsV2", "s3.HeadObject"}, Reads: true, On: providers.OnBucket, If: providers.IfClosed, Source: required},
		{Action: "s3:PutBucketPolicy", Calls: []string{"s3.PutBucketPolicy"}, On: providers.OnBucket, If: providers.IfClosed, Source: required},
		{Action: "s3:DeleteBucketPolicy", Calls: []string{"s3.DeleteBucketPolicy"}, On: providers.OnBucket, If: providers.IfClosed, Source: required},
		{Action: "s3:PutBucketPublicAccessBlock", Calls: []string{"s3.PutPublicAccessBlock", "s3.DeletePublicAccessBlock"}, On: providers.OnBucket, If: providers.IfClosed, Source: required},
		{Action: "cloudfront:CreateOriginAccessControl", Calls: []string{"cloudfront.CreateOriginAccessControl"}, On: providers.OnAll, If: providers.IfClosed},
	}
}

func certificatePermissions() []providers.Permission {
	return []providers.Permission{
		{Action: "acm:DescribeCertificate", Calls: []string{"acm.DescribeCertificate"}, Reads: true, On: providers.OnCertificate, If: providers.IfNamedCert},
		{Action: "acm:DescribeCertificate", Calls: []string{"acm.DescribeCertificate"}, Reads: true, On: providers.OnCertificate, If: providers.IfCertificate},
		{Action: "acm:ListCertificates", Calls: []string{"acm.ListCertificates"}, Reads: true, On: providers.OnAll, If: providers.IfCertificate},
		{Action: "acm:ListTagsForCertificate", Calls: []string{"acm.ListTagsForCertificate"}, Reads: true, On: providers.OnCertificate, If: providers.IfCertificate},
		{Action: "acm:RequestCertificate", Calls: []string{"acm.RequestCertificate"}, On: providers.OnAll, If: providers.IfCertificate},
		// The request carries the tags.
		{Action: "acm:AddTagsToCertificate", Calls: []string{"acm.RequestCertificate"}, On: providers.OnCertificate, If: providers.IfCertificate,
			Source: "ACM API Reference: RequestCertificate, Tags"},
	}
}

func accountPermissions() []providers.Permission {
	const required = "S3 User Guide: Required permissions for Amazon S3 API operations"
	return []providers.Permission{
		{Action: "cloudwatch:GetMetricData", Calls: []string{"cloudwatch.GetMetricData"}, Reads: true, On: providers.OnAll, If: providers.IfBucket},
		{Action: "s3:GetMetricsConfiguration", Calls: []string{"s3.ListBucketMetricsConfigurations"}, Reads: true, On: providers.OnBucket, If: providers.IfBucket, Source: required},
		{Action: "s3:PutMetricsConfiguration", Calls: []string{"s3.PutBucketMetricsConfiguration", "s3.DeleteBucketMetricsConfiguration"}, On: providers.OnBucket, If: providers.IfCounted, Source: required},
		{Action: "servicequotas:GetServiceQuota", Calls: []string{"servicequotas.GetServiceQuota"}, Reads: true, On: providers.OnAll, If: providers.IfBucket},
		{Action: "servicequotas:GetAWSDefaultServiceQuota", Calls: []string{"servicequotas.GetAWSDefaultServiceQuota"}, Reads: true, On: providers.OnAll, If: providers.IfBucket},
		{Action: "sts:AssumeRole", Calls: []string{"sts.AssumeRole"}, Reads: true, On: providers.OnRole, If: providers.IfRole},
		// It needs no permission, even if a policy denies it.
		{Action: "sts:GetCallerIdentity", Calls: []string{"sts.GetCallerIdentity"}, On: providers.OnAll, If: providers.IfNothing,
			Source: "STS API Reference: GetCallerIdentity"},
	}
}
