package aws

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/edgeward/edgeward/providers"
)

// maxLock bounds what is read of a lock: ours are some hundred bytes.
const maxLock = 64 << 10

// lockStore is providers.LockStore by S3's conditional writes [S3 User Guide:
// "How to prevent object overwrites with conditional writes"].
type lockStore struct {
	b                   *buckets
	bucket, key, region string
}

// LockStore keeps a lock in an object. The bucket may have any name; region may
// be "": then S3 is asked. It does no I/O.
func (c *Client) LockStore(bucket, key, region string) providers.LockStore {
	return &lockStore{newBuckets(c), bucket, key, region}
}

// String implements providers.LockStore.
func (l *lockStore) String() string { return "s3://" + l.bucket + "/" + l.key }

// ReadLock implements providers.LockStore.
func (l *lockStore) ReadLock(ctx context.Context) (providers.LockObject, error) {
	op := "read the lock " + l.String()
	client, _, err := l.b.in(ctx, l.bucket, l.region)
	if err != nil {
		return providers.LockObject{}, err
	}
	out, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &l.bucket, Key: &l.key})
	if err != nil {
		return providers.LockObject{}, l.b.fail(op, "s3:GetObject", err)
	}
	defer out.Body.Close()
	text, err := io.ReadAll(io.LimitReader(out.Body, maxLock+1))
	if err == nil && (out.ETag == nil || len(text) > maxLock) {
		err = fmt.Errorf("it is no lock of edgeward: %w", providers.ErrInvalid)
	}
	if err != nil {
		return providers.LockObject{}, l.b.fail(op, "", err)
	}
	got := providers.LockObject{Text: text, Version: *out.ETag}
	if at, ok := awsmiddleware.GetServerTime(out.ResultMetadata); ok && out.LastModified != nil {
		got.Age = max(0, at.Sub(*out.LastModified).Round(time.Second))
	}
	return got, nil
}

// WriteLock implements providers.LockStore.
func (l *lockStore) WriteLock(ctx context.Context, text []byte, version string) (string, error) {
	op := "write the lock " + l.String()
	client, _, err := l.b.in(ctx, l.bucket, l.region)
	if err != nil {
		return "", err
	}
	in := &s3.PutObjectInput{Bucket: &l.bucket, Key: &l.key, Body: bytes.NewReader(text), ContentType: sdk.String("application/json")}
	if version == "" {
		in.IfNoneMatch = sdk.String("*")
	} else {
		in.IfMatch = &version
	}
	out, err := client.PutObject(ctx, in)
	switch code(err) {
	case "PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey":
		// The last one: the object that was to be replaced is gone.
		return "", fmt.Errorf("%s: somebody wrote it meanwhile: %w", op, providers.ErrConflict)
	}
	if err == nil && out.ETag == nil {
		err = errPartial
	}
	if err != nil {
		return "", l.b.fail(op, "s3:PutObject", err)
	}
	return *out.ETag, nil
}
