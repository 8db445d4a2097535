package main

import (
	"context"
	"fmt"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	v1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	v1alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"sallyport.test/command"
)

// reflection ADDRESS AUDIENCE TOKEN: what a client without any .proto file finds out about an endpoint, and a call that it can then make.
func reflection(args []string) error {
	ctx, cancel := within(30)
	defer cancel()
	conn, err := grpc.NewClient(args[0], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	services, err := listServices(ctx, conn)
	if err != nil {
		return err
	}
	command.Say(map[string]any{"services": services})

	set := &descriptorpb.FileDescriptorSet{}
	seen := map[string]bool{}
	for _, service := range services {
		files, err := filesOf(ctx, conn, service)
		if err != nil {
			return fmt.Errorf("%s: %w", service, err)
		}
		for _, file := range files {
			if !seen[file.GetName()] {
				set.File = append(set.File, file)
			}
			seen[file.GetName()] = true
		}
	}
	// Checks every name, number and import as protoc would.
	files, err := protodesc.NewFiles(set)
	if err != nil {
		return err
	}
	found, err := files.FindDescriptorByName("SpiffeWorkloadAPI")
	if err != nil {
		return err
	}
	method := found.(protoreflect.ServiceDescriptor).Methods().ByName("ValidateJWTSVID")
	request := dynamicpb.NewMessage(method.Input())
	request.Set(method.Input().Fields().ByName("audience"), protoreflect.ValueOfString(args[1]))
	request.Set(method.Input().Fields().ByName("svid"), protoreflect.ValueOfString(args[2]))
	response := dynamicpb.NewMessage(method.Output())
	ctx = metadata.AppendToOutgoingContext(ctx, "workload.spiffe.io", "true")
	if err := conn.Invoke(ctx, "/SpiffeWorkloadAPI/ValidateJWTSVID", request, response); err != nil {
		return err
	}
	text, err := protojson.Marshal(response)
	if err != nil {
		return err
	}
	fmt.Println(string(text))
	return nil
}

// listServices asks in both packages, and expects the same answer.
func listServices(ctx context.Context, conn *grpc.ClientConn) ([]string, error) {
	stream, err := v1.NewServerReflectionClient(conn).ServerReflectionInfo(ctx)
	if err != nil {
		return nil, err
	}
	request := &v1.ServerReflectionRequest{MessageRequest: &v1.ServerReflectionRequest_ListServices{ListServices: "*"}}
	if err := stream.Send(request); err != nil {
		return nil, err
	}
	answer, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, service := range answer.GetListServicesResponse().GetService() {
		names = append(names, service.GetName())
	}

	alpha, err := v1alpha.NewServerReflectionClient(conn).ServerReflectionInfo(ctx)
	if err != nil {
		return nil, err
	}
	asked := &v1alpha.ServerReflectionRequest{MessageRequest: &v1alpha.ServerReflectionRequest_ListServices{ListServices: "*"}}
	if err := alpha.Send(asked); err != nil {
		return nil, err
	}
	other, err := alpha.Recv()
	if err != nil {
		return nil, err
	}
	var others []string
	for _, service := range other.GetListServicesResponse().GetService() {
		others = append(others, service.GetName())
	}
	command.Expect(strings.Join(names, " ") == strings.Join(others, " "), "both packages say the same: %v and %v", names, others)
	return names, nil
}

func filesOf(ctx context.Context, conn *grpc.ClientConn, symbol string) ([]*descriptorpb.FileDescriptorProto, error) {
	stream, err := v1.NewServerReflectionClient(conn).ServerReflectionInfo(ctx)
	if err != nil {
		return nil, err
	}
	asked := &v1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: symbol}
	if err := stream.Send(&v1.ServerReflectionRequest{MessageRequest: asked}); err != nil {
		return nil, err
	}
	answer, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	if failure := answer.GetErrorResponse(); failure != nil {
		return nil, fmt.Errorf("%d %s", failure.GetErrorCode(), failure.GetErrorMessage())
	}
	var files []*descriptorpb.FileDescriptorProto
	for _, bytes := range answer.GetFileDescriptorResponse().GetFileDescriptorProto() {
		file := &descriptorpb.FileDescriptorProto{}
		if err := proto.Unmarshal(bytes, file); err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}
